//! The messages of a wait for a lock that failed.

/// 1213, a deadlock of rows; on MariaDB also of `GET_LOCK`
pub(in crate::error) const DEADLOCK: &[&str] = &[
    "Deadlock found when trying to get lock; try restarting transaction", // en
    "Beim Versuch, eine Sperre anzufordern, ist ein Deadlock aufgetreten. Versuchen Sie, die Transaktion neu zu starten", // de
    "Encontrado estancamiento (deadlock) al intentar obtener el bloqueo; intente volver a comenzar la transacción", // es
    "Encontrado deadlock cuando tentando obtener el bloqueo; Tente recomenzar la transición", // es
    "Lukustamisel tekkis tupik (deadlock); alusta transaktsiooni otsast",                     // et
    "Deadlock découvert en essayant d'obtenir les verrous : essayez de redémarrer la transaction", // fr
    "Trovato deadlock durante il lock; Provare a far ripartire la transazione",               // it
    "ロック取得中にデッドロックが検出されました。トランザクションを再試行してください。",     // ja
    "ჩიხი ბლოკის მიღების მცდელობისას. სცადეთ, ტრანზაქცია თავიდან გაუშვათ",                    // ka
    "Deadlock gevonden tijdens lock-aanvraag poging; Probeer herstart van de transactie",     // nl
    "Encontrado um travamento fatal (deadlock) quando tentava obter uma trava. Tente reiniciar a transação", // pt
    "Encontrado um travamento fatal (deadlock) quando tentava obter uma trava. Tente reiniciar a transação.", // pt
    "Возникла тупиковая ситуация в процессе получения блокировки; Попробуйте перезапустить транзакцию", // ru
    "Unakrsno zaključavanje pronađeno kada sam pokušao da dobijem pravo na zaključavanje; Probajte da restartujete transakciju", // sr
    "Fick 'DEADLOCK' vid låsförsök av block/rad. Försök att starta om transaktionen", // sv
    "Kufungana ya makufuli kumepatikana wakati wa kujaribu kufunga; jaribu kuanzisha tena muamala", // sw
    "Взаємне блокування знайдено під час спроби отримати блокування; спробуйте перезапустити транзакцію.", // uk
    "试图锁定时发现僵局;尝试重新启动事务",                                            // zh
];

/// 1205, `innodb_lock_wait_timeout`, on MariaDB also `NOWAIT` and `WAIT n`
pub(in crate::error) const LOCK_TIMEOUT: &[&str] = &[
    "Lock wait timeout exceeded; try restarting transaction", // en
    "Lock wait timeout overskredet",                          // da
    "Beim Warten auf eine Sperre wurde die zulässige Wartezeit überschritten. Bitte versuchen Sie, die Transaktion neu zu starten", // de
    "Tiempo de espera de bloqueo excedido; intente rearrancar la transacción", // es
    "Tiempo de bloqueo de espera excedido",                                    // es
    "Kontrollaeg ületatud luku järel ootamisel; Proovi transaktsiooni otsast alata", // et
    "Timeout sur l'obtention du verrou",                                       // fr
    "E' scaduto il timeout per l'attesa del lock",                             // it
    "ロック待ちがタイムアウトしました。トランザクションを再試行してください。", // ja
    "ბლოკის მოლოდინის ვადა ამოიწურა. სცადეთ, ტრანზაქცია თავიდან გაუშვათ",      // ka
    "Lock wacht tijd overschreden",                                            // nl
    "Tempo de espera (timeout) de travamento excedido. Tente reiniciar a transação", // pt
    "Tempo de espera (timeout) de travamento excedido. Tente reiniciar a transação.", // pt
    "Таймаут ожидания блокировки истек; попробуйте перезапустить транзакцию",  // ru
    "Vremenski limit za zaključavanje tabele je istekao; Probajte da ponovo startujete transakciju", // sr
    "Fick inte ett lås i tid ; Försök att starta om transaktionen",            // sv
    "Muda wa kusubiri kufuli umepita; jaribu kuanzisha upya shughuli",         // sw
    "Затримку очікування блокування вичерпано",                                // uk
    "锁等待超时;尝试重新启动事务",                                             // zh
];

/// 3572, `NOWAIT` of MySQL
pub(in crate::error) const NO_WAIT: &[&str] = &[
    "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.", // en
];

/// 3058, a deadlock of `GET_LOCK` on MySQL
pub(in crate::error) const USER_LOCK_DEADLOCK: &[&str] = &[
    "Deadlock found when trying to get user-level lock; try rolling back transaction/releasing locks and restarting lock acquisition.", // en
    "Hallado estancamiento (deadlock) al intentar obtener bloqueo a nivel de usuario; intente retroceder (roll back) bloqueos de transacción/entrega y rearranque la adquisición de bloqueo.", // es
    "Kufungana kwa kufuli kumepatikana wakati wa kujaribu kupata kufuli kwa kiwango cha mtumiaji; jaribu kurudisha nyuma muamala/kutoa kufuli na kuanzisha upya upataji wa kufuli.", // sw
    "在尝试获得用户级锁时发现死锁;尝试回滚交易/释放锁定并重新启动锁定采集。", // zh
];
