//! The nodes, and a database of a test's own on all of them.

use std::{env, hash::BuildHasher as _, hash::RandomState, thread, time::Duration};

use diesel::{
    Connection as _, MysqlConnection, RunQueryDsl as _, connection::SimpleConnection as _, dsl::sql, sql_types::BigInt,
};

/// How long a change may take to arrive at every node.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database, dropped when the test succeeds.
pub(crate) struct Cluster {
    name: String,
    servers: Vec<String>,
}

impl Cluster {
    pub(crate) fn new(tables: &str) -> Self {
        let urls = env::var("GALERA_DATABASE_URLS").unwrap_or_default();
        let servers: Vec<String> =
            urls.split('|').map(str::trim).filter(|url| !url.is_empty()).map(str::to_owned).collect();
        assert!(
            servers.len() >= 2,
            "no cluster: set GALERA_DATABASE_URLS to the URLs of two nodes of a Galera cluster, with `|` between them, \
             `mysql://root@127.0.0.1:33201/test|mysql://root@127.0.0.1:33202/test`"
        );
        let name = format!("lockset_cluster_{:016x}", RandomState::new().hash_one(std::process::id()));
        let cluster = Self { name, servers };
        let mut maintenance = MysqlConnection::establish(&cluster.servers[0]).unwrap();
        maintenance.batch_execute(&format!("CREATE DATABASE {}", cluster.name)).unwrap();
        for statement in tables.split(';').filter(|statement| !statement.trim().is_empty()) {
            cluster.node(0).batch_execute(statement).unwrap();
        }
        cluster.settle();
        cluster
    }

    pub(crate) fn nodes(&self) -> usize {
        self.servers.len()
    }

    /// A session on the node of this number, or of what is left of it.
    pub(crate) fn node(&self, number: usize) -> MysqlConnection {
        let mut url = url::Url::parse(&self.servers[number % self.servers.len()]).unwrap();
        url.set_path(&self.name);
        MysqlConnection::establish(url.as_str()).unwrap()
    }

    /// Waits until every node has what is committed on any of them.
    pub(crate) fn settle(&self) {
        for server in &self.servers {
            // Nothing is read before all that was committed anywhere has arrived.
            let mut conn = MysqlConnection::establish(server).unwrap();
            conn.batch_execute("SET wsrep_sync_wait = 1; START TRANSACTION; COMMIT").unwrap();
        }
    }

    /// Waits until a query on a node selects so much.
    pub(crate) fn wait_for(&self, node: usize, query: &str, wanted: i64) {
        let mut conn = self.node(node);
        let began = std::time::Instant::now();
        while number(&mut conn, query) != wanted {
            assert!(began.elapsed() < PATIENCE, "never on node {node}: {query} is {wanted}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(crate) fn number(conn: &mut MysqlConnection, query: &str) -> i64 {
    sql::<BigInt>(&format!("SELECT CAST(({query}) AS SIGNED)")).get_result(conn).unwrap()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for you to look at: {}", self.name);
            return;
        }
        let mut maintenance = MysqlConnection::establish(&self.servers[0]).unwrap();
        maintenance.batch_execute(&format!("DROP DATABASE {}", self.name)).unwrap();
    }
}
