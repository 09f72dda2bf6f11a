//! The messages with which PostgreSQL ends a session, in all languages of the server.
//!
//! libpq sees the connection close and Diesel says `ClosedConnection`. `tokio-postgres` hands on the message, with a SQLSTATE that
//! `diesel-async` does not map. The translations are those of versions 15 and 18.

/// 57P01, 57P02, 57P05, 25P03, 25P04 and others: the session is ended
pub(in crate::error) const ENDED: &[&str] = &[
    "terminating connection due to administrator command",      // C
    "terminating connection due to unexpected postmaster exit", // C
    "terminating connection due to immediate shutdown command", // C
    "terminating connection because of crash of another server process", // C
    "terminating connection due to idle-in-transaction timeout", // C
    "terminating connection due to idle-session timeout",       // C
    "terminating connection due to transaction timeout",        // C
    "terminating connection due to conflict with recovery",     // C
    "Verbindung wird abgebrochen aufgrund von Anweisung des Administrators", // de
    "Verbindung wird abgebrochen wegen unerwartetem Ende des Postmasters", // de
    "Verbindung wird abgebrochen aufgrund von Befehl für sofortiges Herunterfahren", // de
    "Verbindung wird abgebrochen wegen Absturz eines anderen Serverprozesses", // de
    "Verbindung wird abgebrochen wegen Zeitüberschreitung in inaktiver Transaktion", // de
    "Verbindung wird abgebrochen wegen Zeitüberschreitung in inaktiver Sitzung", // de
    "Verbindung wird abgebrochen wegen Zeitüberschreitung in Transaktion", // de
    "Verbindung wird abgebrochen wegen Konflikt mit der Wiederherstellung", // de
    "terminando la conexión debido a una orden del administrador", // es
    "terminando la conexión debido al término inesperado de postmaster", // es
    "terminando la conexión debido a una orden de apagado inmediato", // es
    "terminando la conexión debido a una falla en otro proceso servidor", // es
    "terminando la conexión debido a que se agotó el tiempo de espera para transacciones abiertas inactivas", // es
    "terminando la conexión debido a que se agotó el tiempo de espera para sesiones abiertas inactivas", // es
    "terminando la conexión debido a que se agotó el tiempo de espera para transacciones", // es
    "terminando la conexión debido a un conflicto con la recuperación", // es
    "arrêt des connexions suite à la demande de l'administrateur", // fr
    "arrêt des connexions suite à un arrêt inatendu du postmaster", // fr
    "arrêt des connexions suite à un arrêt inattendu du postmaster", // fr
    "arrêt des connexions suite à la commande d'arrêt immédiat", // fr
    "arrêt de la connexion à cause de l'arrêt brutal d'un autre processus serveur", // fr
    "arrêt des connexions suite à l'expiration du délai d'inactivité en transaction", // fr
    "arrêt des connexions suite à l'expiration du délai d'inactivité de la session", // fr
    "arrêt de la connexion à cause d'un conflit avec la restauration", // fr
    "memutus koneksi karena perintah administrator",            // id
    "memutus koneksi karena proses server lain mati (crash)",   // id
    "memutus koneksi karena konflik dengan perbaikan",          // id
    "interruzione della connessione su comando dell'amministratore", // it
    "la connessione è stata terminata a causa di un'uscita inattesa di postmaster", // it
    "terminazione della connessione a causa di un comando di spegnimento immediato", // it
    "la connessione è stata terminata a causa del crash di un altro processo del server", // it
    "la connessione è stata terminata a causa di timeout di inattività durante una transazione", // it
    "terminazione della connessione a causa del timeout della sessione inattiva", // it
    "interruzione della connessione a causa di conflitto con il ripristino", // it
    "管理者コマンドにより接続を終了しています",                 // ja
    "予期しないpostmasterの終了のため、コネクションを終了します", // ja
    "即時シャットダウンコマンドによりコネクションを終了します", // ja
    "他のサーバープロセスがクラッシュしたため接続を終了します", // ja
    "トランザクション中アイドルタイムアウトのため接続を終了します", // ja
    "アイドルセッションタイムアウトにより接続を終了します",     // ja
    "トランザクションタイムアウトのため接続を終了します",       // ja
    "リカバリで競合が発生したため、接続を終了しています",       // ja
    "მიერთების შეწყვეტა ადმინისტრატორის ბრძანების გამო",        // ka
    "მიერთების შეწყვეტა postmaster-ის მოულოდნელი გასვლის გამო", // ka
    "მიერთების შეწყვეტა დაუყოვნებლივი გამორთვის ბრძანების გამო", // ka
    "მიერთების შეწყვეტა ტრანზაქციის მოლოდინის ვადის ამოწურვის გამო", // ka
    "მიერთების შეწყვეტა აღდგენასთან კონფლიქტის გამო",           // ka
    "관리자 요청에 의해서 연결을 끝냅니다",                     // ko
    "postmaster의 예상치 못한 종료로 연결을 종료합니다",        // ko
    "immediate 종료 명령으로 연결을 끝냅니다",                  // ko
    "다른 서버 프로세스가 손상을 입어 현재 연결을 중지합니다",  // ko
    "idle-in-transaction 시간 초과로 연결을 끝냅니다",          // ko
    "idle-session 시간 초과로 연결을 끝냅니다",                 // ko
    "트랜잭션 시간(transaction_timeout) 초과로 연결을 끝냅니다", // ko
    "복구 작업 중 충돌로 연결을 끝냅니다",                      // ko
    "zakończono połączenie na skutek polecenia administratora", // pl
    "zakończono połączenie na skutek nieoczekiwanego wyjścia postmastera", // pl
    "zakończenie połączenia spowodowane awarią innego procesu serwera", // pl
    "zakończono połączenie na skutek przekroczenia czasu bezczynności podczas transakcji", // pl
    "zakończono połączenie na skutek konfliktu podczas odzyskiwania", // pl
    "terminando a conexão devido a um comando do administrador", // pt_BR
    "encerrando a conexão devido à saída inesperada do postmaster", // pt_BR
    "encerrando a conexão devido ao comando de desligamento imediato", // pt_BR
    "terminando a conexão devido a queda de um outro processo servidor", // pt_BR
    "terminando a conexão devido a tempo limite de inatividade esgotado na transação", // pt_BR
    "terminando a conexão devido a tempo limite da sessão ociosa esgotado", // pt_BR
    "terminando conexão devido a um conflito com a recuperação", // pt_BR
    "закрытие подключения по команде администратора",           // ru
    "закрытие подключения из-за неожиданного завершения главного процесса", // ru
    "закрытие подключения вследствие получения команды для немедленного отключения", // ru
    "закрытие подключения из-за краха другого серверного процесса", // ru
    "закрытие подключения из-за тайм-аута простоя в транзакции", // ru
    "закрытие подключения из-за тайм-аута простоя сеанса",      // ru
    "закрытие подключения из-за тайм-аута транзакции",          // ru
    "закрытие подключения из-за конфликта с процессом восстановления", // ru
    "avslutar anslutning på grund av ett administratörskommando", // sv
    "avslutar anslutning på grund av att postmaster stängde oväntat ner", // sv
    "stänger anslutning på grund av kommando för omedelbar nedstängning", // sv
    "avbryter anslutning på grund av en krash i en annan serverprocess", // sv
    "terminerar anslutning på grund av idle-in-transaction-timeout", // sv
    "stänger anslutning på grund av idle-session-timeout",      // sv
    "terminerar anslutning på grund av transaktionstimeout",    // sv
    "avslutar anslutning på grund av konflikt med återställning", // sv
    "yönetici talimatı doğrultusunda bağlantı kesildi",         // tr
    "beklenmeyen postmaster çıkışı sonrası bağlantı kesiliyor", // tr
    "diğer aktif sunucu sürecinin durması nedeniyle bağlantı kapatılmıştır", // tr
    "завершення підключення по команді адміністратора",         // uk
    "завершення підключення через неочікуване закриття головного процесу", // uk
    "завершення підключення через команду негайного завершення роботи", // uk
    "завершення підключення через аварійне завершення роботи іншого серверного процесу", // uk
    "завершення підключення через тайм-аут бездіяльності в транзакції", // uk
    "завершення підключення через тайм-аут неактивного сеансу", // uk
    "переривання з'єднання через тайм-аут транзакції",          // uk
    "завершення підключення через конфлікт з процесом відновлення", // uk
    "由于管理员命令中断联接",                                   // zh_CN
    "由于意外的 postmaster 退出而终止连接",                     // zh_CN
    "中断联接, 因为其它服务器进程崩溃",                         // zh_CN
    "由于空载事务超时而终止连接",                               // zh_CN
    "由于与恢复操作相冲突而中断连接",                           // zh_CN
];

/// The words of `tokio-postgres` and `diesel-async` for a connection that is lost. `%s` stands for the reason.
pub(in crate::error) const LOST: &[&str] =
    &["connection closed", "error communicating with the server: %s", "channel closed"];

/// The words of `tokio-postgres` for a statement that it could not write down, such as one with too many parameters. Nothing was sent.
pub(in crate::error) const NOT_SENT: &[&str] =
    &["error encoding message to server: %s", "error encoding message to server", "error serializing parameter %s"];
