//! Nothing, in the place of spans and events.

use std::{error::Error, time::Duration};

use crate::{core::driver::Driver, error::LockError, error::RowName, transaction::StepBack};

/// A call.
pub(in crate::core) struct Call;

impl Call {
    pub(in crate::core) fn query(_: impl FnOnce() -> Vec<String>) -> Self {
        Call
    }

    pub(in crate::core) fn end(self, _: u32, _: Option<&LockError>) {}
}

/// A time from which on locks are held.
#[derive(Clone, Copy)]
pub(in crate::core) struct Held;

impl Held {
    pub(in crate::core) fn now<D: Driver>(_: &mut D) -> Self {
        Held
    }

    pub(in crate::core) fn end<D: Driver>(self, _: &mut D, _: &'static str) {}
}

pub(in crate::core) fn locked<D: Driver>(_: &mut D) {}

pub(in crate::core) fn rows(_: &str, _: impl FnOnce() -> Vec<RowName>) {}

pub(in crate::core) fn step_back(_: &StepBack) {}

pub(in crate::core) fn retry(_: &(dyn Error + 'static), _: u32, _: Duration) {}

pub(in crate::core) fn gave_up(_: &(dyn Error + 'static), _: u32, _: Duration) {}
