//! The message about a row that has changed since the snapshot of the transaction.

/// 1020: MariaDB with `innodb_snapshot_isolation`, under REPEATABLE READ and SERIALIZABLE
pub(in crate::error) const CHANGED: &[&str] = &[
    "Record has changed since last read in table '%s'; try restarting transaction", // en
    "Record has changed since last read in table '%s'",                             // en
    "Záznam byl změněn od posledního čtení v tabulce '%s'",                         // cs
    "Posten er ændret siden sidste læsning '%s'; Prøv at genstarte transaktionen",  // da
    "Posten er ændret siden sidste læsning '%s'",                                   // da
    "Datensatz hat sich seit dem letzten Zugriff auf Tabelle '%s' geändert. Versuchen Sie, die Transaktion neu zu starten", // de
    "Datensatz hat sich seit dem letzten Zugriff auf Tabelle '%s' geändert", // de
    "Η εγγραφή έχει αλλάξει από την τελευταία φορά που ανασύρθηκε από τον πίνακα '%s'", // el
    "El registro ha cambiado desde la ultima lectura de la tabla '%s'; intente volver a comenzar la transacción", // es
    "El registro ha cambiado desde la ultima lectura de la tabla '%s'",      // es
    "Kirje tabelis '%s' on muutunud viimasest lugemisest saadik; alusta transaktsiooni otsast", // et
    "Kirje tabelis '%s' on muutunud viimasest lugemisest saadik",            // et
    "Enregistrement modifié depuis sa dernière lecture dans la table '%s' : essayez de redémarrer la transaction", // fr
    "Enregistrement modifié depuis sa dernière lecture dans la table '%s'",  // fr
    "रिकॉर्ड टेबल '%s' पिछली बार पढ़े जाने के बाद से बदल गया है",                    // hi
    "A(z) '%s' tablaban talalhato rekord megvaltozott az utolso olvasas ota", // hu
    "Il record e` cambiato dall'ultima lettura della tabella '%s'; Provare a far ripartire la transazione", // it
    "Il record e` cambiato dall'ultima lettura della tabella '%s'",          // it
    "表 '%s' の最後の読み込み時点から、レコードが変化しました。トランザクションを再試行してください。", // ja
    "表 '%s' の最後の読み込み時点から、レコードが変化しました。",            // ja
    "ცხრილში '%s' ჩანაწერი შეიცვალა ბოლო წაკითხვის შემდეგ. სცადეთ, ტრანზაქცია თავიდან გაუშვათ", // ka
    "ცხრილში '%s' ჩანაწერი შეიცვალა ბოლო წაკითხვის შემდეგ",                  // ka
    "테이블 '%s'에서 마지막으로 읽은 후 Record가 변경되었습니다.",           // ko
    "Posten har blitt endret siden den ble lest '%s'",                       // nb
    "Record is veranderd sinds de laatste lees activiteit in de tabel '%s'; Probeer herstart van de transactie", // nl
    "Record is veranderd sinds de laatste lees activiteit in de tabel '%s'", // nl
    "Posten har vorte endra sidan den sist vart lesen '%s'; Prøv å starte transaksjonen på nytt", // nn
    "Posten har vorte endra sidan den sist vart lesen '%s'",                 // nn
    "Rekord został zmieniony od ostaniego odczytania z tabeli '%s'",         // pl
    "Registro alterado desde a última leitura da tabela '%s'. Tente reiniciar a transação", // pt
    "Registro alterado desde a última leitura da tabela '%s'",               // pt
    "Cimpul a fost schimbat de la ultima citire a tabelei '%s'",             // ro
    "Запись изменилась с момента последней выборки в таблице '%s'; Попробуйте перезапустить транзакцию", // ru
    "Запись изменилась с момента последней выборки в таблице '%s'",          // ru
    "Záznam bol zmenený od posledného čítania v tabuľke '%s'",               // sk
    "Slog je promenjen od zadnjeg čitanja tabele '%s'; Probajte da restartujete transakciju", // sr
    "Slog je promenjen od zadnjeg čitanja tabele '%s'",                      // sr
    "Posten har förändrats sedan den lästes i register '%s'. Försök att starta om transaktionen", // sv
    "Posten har förändrats sedan den lästes i register '%s'",                // sv
    "Rekodi imebadilika tangu kusomeka mara ya mwisho kwenye jedwali '%s'",  // sw
    "Запис було змінено з часу останнього читання з таблиці '%s'; спробуйте перезапустити транзакцію.", // uk
    "Запис було змінено з часу останнього читання з таблиці '%s'",           // uk
    "这个表自上次读后数据有变化'%s';尝试重新启动事务",                       // zh
    "这个表自上次读后数据有变化'%s'",                                        // zh
];
