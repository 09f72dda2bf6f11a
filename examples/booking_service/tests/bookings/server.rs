//! The service as a process, and a client for it.

use std::{
    future::Future,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{Client, RequestBuilder, Response, redirect::Policy};
use serde_json::json;

use crate::shared::{Database, Result};

pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) address: String,
    pub(crate) client: Client,
    pub(crate) database: Database,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        let database = Database::create("booking_service")?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_booking_service"))
            .env("DATABASE_URL", database.url())
            .env("LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on ").map(str::to_owned);
        // A redirect is an answer to look at.
        let client = Client::builder().redirect(Policy::none()).no_proxy().build()?;
        let address = address.unwrap_or_default();
        let server = Server { process, address, client, database };
        if server.address.is_empty() { Err("the service has not started".into()) } else { Ok(server) }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.address))
    }

    /// A booking as JSON.
    pub(crate) fn put(&self, id: &str, show: i32, seats: &[&str]) -> RequestBuilder {
        let wish = json!({ "show": show, "name": "Ada", "seats": seats });
        self.client.put(format!("{}/api/bookings/{id}", self.address)).json(&wish)
    }

    /// A booking as a browser sends its form.
    pub(crate) fn post(&self, id: &str, show: i32, seats: &[&str]) -> RequestBuilder {
        let mut fields = vec![("id", id), ("name", "Ada")];
        fields.extend(seats.iter().map(|seat| ("seat", *seat)));
        self.client.post(format!("{}/shows/{show}", self.address)).form(&fields)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Runtime::new()?.block_on(future)
}

pub(crate) fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
