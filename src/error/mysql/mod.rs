//! The messages of MySQL and MariaDB about locks, in all languages of the servers. `%s` stands for the name of a table or function.
//!
//! They are taken from the `errmsg.sys` files of MySQL 9.7 and of MariaDB 10.11 and 11.8. A language that is not listed has the English
//! text. Two texts of one language are those of two servers. The numbers are explained in MySQL's [list of server
//! errors][mysql] and in [MariaDB's][mariadb]. The language depends on `lc_messages` of the server or session, never on the
//! client; for a 1213, MariaDB uses that of the server.
//!
//! Diesel gives 1213 and 1792 a kind of their own if a prepared statement raises them. It does so for no other number that matters
//! here, and for none if `batch_execute` raises them.
//!
//! [mysql]: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
//! [mariadb]: https://mariadb.com/kb/en/mariadb-error-code-reference/

mod changed;
mod commit;
mod lost;
mod waits;

pub(super) use self::{
    changed::CHANGED,
    commit::DURING_COMMIT,
    lost::{LOST, LOST_NOW},
    waits::{DEADLOCK, LOCK_TIMEOUT, NO_WAIT, USER_LOCK_DEADLOCK},
};

/// 1317, `KILL QUERY`; 3024, `max_execution_time` of MySQL; 1969, `max_statement_time` of MariaDB, whose Spanish text is a single
/// letter (verified on the servers)
pub(super) const CANCELED: &[&str] = &[
    "Query execution was interrupted",                                            // en
    "Query execution was interrupted, maximum statement execution time exceeded", // en
    "Query execution was interrupted (max_statement_time exceeded)",              // en
    "Ausführung der Abfrage wurde unterbrochen",                                  // de
    "Se ha interrumpido la ejecución de la consulta (query)",                     // es
    "S",                                                                          // es
    "მოთხოვნის შესრულება შეწყვეტილია",                                            // ka
    "Utekelezaji wa hoja ulikatizwa",                                             // sw
    "Utekelezaji wa hoja ulikatizwa (muda_wa_max_statement umepitwa)",            // sw
    "查询执行中断",                                                               // zh
    "查询执行中断（超出MAX_STATEMENT_TIME）",                                     // zh
];

/// 1176, raised for `FORCE INDEX (PRIMARY)`: a view has no index, and a table without a primary key has none of this name
pub(super) const NO_PRIMARY_KEY: &[&str] = &[
    "Key 'PRIMARY' doesn't exist in table '%s'",               // en
    "Klíč 'PRIMARY' v tabulce '%s' neexistuje",                // cs
    "Nøglen 'PRIMARY' eksisterer ikke i tabellen '%s'",        // da
    "Schlüssel 'PRIMARY' existiert in der Tabelle '%s' nicht", // de
    "La clave 'PRIMARY' no existe en la tabla '%s'",           // es
    "Clave 'PRIMARY' no existe en la tabla '%s'",              // es
    "Võti 'PRIMARY' ei eksisteeri tabelis '%s'",               // et
    "L'index 'PRIMARY' n'existe pas sur la table '%s'",        // fr
    "KEY 'PRIMARY', टेबल '%s' में मौजूद नहीं है",                    // hi
    "A 'PRIMARY' kulcs nem letezik a '%s' tablaban",           // hu
    "La chiave 'PRIMARY' non esiste nella tabella '%s'",       // it
    "索引 'PRIMARY' は表 '%s' には存在しません。",             // ja
    "გასაღები 'PRIMARY' არ არსებობს ცხრილში '%s'",             // ka
    "Zoeksleutel 'PRIMARY' bestaat niet in tabel '%s'",        // nl
    "Chave 'PRIMARY' não existe na tabela '%s'",               // pt
    "Ключ 'PRIMARY' не существует в таблице '%s'",             // ru
    "Ključ 'PRIMARY' ne postoji u tabeli '%s'",                // sr
    "Nyckel 'PRIMARY' finns inte in tabell '%s'",              // sv
    "Ufunguo 'PRIMARY' haupo kwenye jedwali '%s'",             // sw
    "Ключ 'PRIMARY' не існує в таблиці '%s'",                  // uk
    "索引 'PRIMARY' 在表 '%s' 里不存在",                       // zh
];

/// 1792, also for a locking read
pub(super) const READ_ONLY: &[&str] = &[
    "Cannot execute statement in a READ ONLY transaction",      // en
    "Cannot execute statement in a READ ONLY transaction.",     // en
    "No puedo ejecutar sentencia en una transacción READ ONLY", // es
    "Haiwezi kutekeleza taarifa katika muamala wa READ ONLY",   // sw
    "无法在只读事务中执行语句",                                 // zh
];

/// The errors that undo their statement and leave the transaction as it was before. 1792 does so too, but is left out: a read-only
/// transaction cannot lock anything.
pub(super) const OF_THE_STATEMENT: [&[&str]; 4] = [LOCK_TIMEOUT, NO_WAIT, USER_LOCK_DEADLOCK, CANCELED];
