//! pgbouncer in front of a test's database, in transaction mode.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    process::{Child, Command, Stdio},
};

use diesel::{Connection, PgConnection, connection::CacheSize};
use percent_encoding::percent_decode_str;
use tempfile::TempDir;
use url::Url;

use crate::support::{arena::Arena, patience::until};

/// A pooler that hands out the server's sessions for a transaction at a time; stopped on drop.
///
/// It listens on a socket in a folder of its own, so that there is no port to be taken by somebody else.
pub(crate) struct Pooler {
    child: Child,
    folder: TempDir,
    url: String,
}

/// The number in the name of the socket.
const PORT: &str = "6432";

impl Pooler {
    /// Starts a pooler that has no more than `sessions` sessions of the server to hand out.
    pub(crate) fn in_front_of(arena: &Arena, sessions: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // It does not run as root, and makes its socket here.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let settings = folder.path().join("pgbouncer.ini");
        // There may be a password in it.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&settings).unwrap();
        write!(
            file,
            "[databases]\n{}\n[pgbouncer]\nlisten_port = {PORT}\nunix_socket_dir = {}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {sessions}\nignore_startup_parameters = extra_float_digits\n",
            database(arena),
            folder.path().display(),
        )
        .unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let program = env::var("PGBOUNCER").unwrap_or_else(|_| "pgbouncer".to_owned());
        let mut command = Command::new(&program);
        if id(&["-u"]) == "0" {
            let user = ["postgres", "nobody"].into_iter().find(|user| !id(&["-u", user]).is_empty());
            command.args(["-u", user.expect("a user who is not root")]);
        }
        command.arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot run {program}: {error}; run `cargo xtask test`, or set PGBOUNCER to where it is")
        });
        let url = format!("postgres:///{}?host={}&port={PORT}&user=whoever", arena.name(), folder.path().display());
        let pooler = Self { child, folder, url };
        until(|| PgConnection::establish(&pooler.url).ok())
            .unwrap_or_else(|| panic!("pgbouncer said: {}", pooler.log()));
        pooler
    }

    /// A new client.
    ///
    /// Diesel keeps no prepared statements for it: they would stay behind in the session that they were made in, where the
    /// next client's would have the same names.
    pub(crate) fn connect(&self) -> PgConnection {
        let mut client = PgConnection::establish(&self.url).unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        client.set_prepared_statement_cache_size(CacheSize::Disabled);
        client
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How to log in to the arena's server, whatever a client says: `name = host='..' ..`.
fn database(arena: &Arena) -> String {
    let url = Url::parse(arena.url()).expect("PG_DATABASE_URL is a URL");
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let option = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let settings = [
        ("host", url.host_str().filter(|host| !host.is_empty()).map(decoded).or_else(|| option("host"))),
        ("port", url.port().map(|port| port.to_string()).or_else(|| option("port"))),
        ("user", Some(url.username()).filter(|user| !user.is_empty()).map(decoded).or_else(|| option("user"))),
        ("password", url.password().map(decoded).or_else(|| option("password"))),
        ("dbname", Some(arena.name().to_owned())),
    ];
    let settings = settings.into_iter().filter_map(|(name, value)| Some((name, value?.replace('\'', "''"))));
    let settings: Vec<String> = settings.map(|(name, value)| format!("{name}='{value}'")).collect();
    format!("{} = {}", arena.name(), settings.join(" "))
}

/// What `id` says; nothing if there is no such user.
fn id(arguments: &[&str]) -> String {
    let output = Command::new("id").args(arguments).output().expect("the program id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
