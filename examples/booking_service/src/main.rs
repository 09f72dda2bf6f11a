//! Runs the service: `DATABASE_URL=postgres://.. cargo run -p booking_service`, then open the address that it prints.
//!
//! Any number of processes can run at once, and can be started at once. `LISTEN` is the address to listen on, `127.0.0.1:3000` unless it is
//! set.

use std::{env, error::Error, io::Write};

use booking_service::{database, service};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = env::var("DATABASE_URL").map_err(|_| "no database: set DATABASE_URL to that of a PostgreSQL server")?;
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let pool = database::connect(url)?;
    database::migrate(&pool).await?;
    let stop = stop_signal()?;

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    // Requests that are under way are answered before it returns.
    axum::serve(listener, service(pool)).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// Returns a future that is ready with Ctrl-C or SIGTERM.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        std::future::poll_fn(|context| match interrupt.poll_recv(context) {
            std::task::Poll::Pending => terminate.poll_recv(context),
            ready => ready,
        })
        .await;
    })
}
