//! Round trips of one call, counted by a proxy.

use diesel::PgConnection;
use url::Url;

use crate::{
    operation::Operation,
    proxy::Proxy,
    shared::Result,
    slice::Slice,
    ways::{Ground, Way},
};

use std::time::Duration;

/// Calls of the longer slice beyond those of the shorter one.
const CALLS: u32 = 20;

/// Returns the difference between a longer slice and a shorter one: without connecting, preparing and closing.
pub(crate) fn of(way: Way, operation: Operation, ground: &mut Ground<'_>, conn: &mut PgConnection) -> Result<u32> {
    if let Some(trips) = Ground::trips_by_statements(way, operation) {
        return Ok(trips);
    }
    let mut count = |calls| {
        ground.ready(way, operation, u64::from(calls * operation.units()), conn)?;
        let mut url = Url::parse(ground.url)?;
        let proxy =
            Proxy::open(url.host_str().ok_or("round trips are counted over TCP only")?, url.port().unwrap_or(5432))?;
        // A session that asks for encryption first may connect twice.
        url.query_pairs_mut().append_pair("sslmode", "disable");
        if url.set_host(Some("127.0.0.1")).is_err() || url.set_port(Some(proxy.port)).is_err() {
            return Err("the URL cannot be pointed at the proxy".into());
        }
        let slice = Slice { operation, sessions: 1, calls, limit: Duration::from_secs(10), seed: 1 };
        ground.run(way, &slice, url.as_str())?;
        Ok::<_, crate::shared::Error>(proxy.count().trips)
    };
    let (short, long) = (count(CALLS)?, count(2 * CALLS)?);
    Ok((long - short + CALLS / 2) / CALLS)
}
