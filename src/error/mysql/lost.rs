//! The messages of a lost connection.

/// The messages of the client libraries, libmysqlclient and libmariadb, old and new, which are always in English: 2006, 2013 and, for a
/// statement that was prepared before, 2056. Then 4031 and 3169, with which a server ends a session.
pub(in crate::error) const LOST: &[&str] = &[
    "MySQL server has gone away",
    "Server has gone away",
    "Lost connection to MySQL server during query",
    "Lost connection to server during query",
    "Statement closed indirectly because of a preceding %s() call",
    "The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior.",
    "Session was killed",
    // `mysql_async`, of which `diesel-async` hands on the text
    "Input/output error: Input/output error: %s",
    "Input/output error: TLS error: `%s'",
    "Driver error: `Connection to the server is closed.'",
];

/// 1053, a shutdown of the server; 1927, `KILL CONNECTION` of MariaDB
pub(in crate::error) const LOST_NOW: &[&str] = &[
    "Server shutdown in progress",                                      // en
    "Probíhá ukončování práce serveru",                                 // cs
    "Database nedlukning er i gang",                                    // da
    "Der Server wird heruntergefahren",                                 // de
    "Εναρξη διαδικασίας αποσύνδεσης του εξυπηρετητή (server shutdown)", // el
    "Desconexión de servidor en proceso",                               // es
    "Desconexion de servidor en proceso",                               // es
    "Serveri seiskamine käib",                                          // et
    "Arrêt du serveur en cours",                                        // fr
    "सर्वर बंद हो रहा है",                                                 // hi
    "A szerver leallitasa folyamatban",                                 // hu
    "Shutdown del server in corso",                                     // it
    "サーバーをシャットダウン中です。",                                 // ja
    "მიმდინარეობს სერვერის გამორთვა",                                   // ka
    "Server가 셧다운 중입니다.",                                        // ko
    "Database nedkobling er i gang",                                    // nb
    "Bezig met het stoppen van de server",                              // nl
    "Tenar nedkopling er i gang",                                       // nn
    "Trwa kończenie działania serwera",                                 // pl
    "'Shutdown' do servidor em andamento",                              // pt
    "Terminarea serverului este in desfasurare",                        // ro
    "Сервер находится в процессе остановки",                            // ru
    "Prebieha ukončovanie práce servera",                               // sk
    "Gašenje servera je u toku",                                        // sr
    "Servern går nu ned",                                               // sv
    "Uzimiko wa seva unaendelea",                                       // sw
    "Завершується работа сервера",                                      // uk
    "服务器正在关闭",                                                   // zh
    "Connection was killed",                                            // en
    "La conexión fue matada",                                           // es
    "कनेक्शन को समाप्त कर दिया गया है",                                     // hi
    "Muunganisho uliuawa",                                              // sw
    "连接被杀死",                                                       // zh
];
