//! The messages of a failed commit.

/// 1180, also on a node of a Galera cluster that has lost the rest of the cluster; the first text is a message of such a node only
pub(in crate::error) const DURING_COMMIT: &[&str] = &[
    "WSREP replication failed. Check your wsrep connection state and retry the query.", // en
    "Got error %s during COMMIT",                                                       // en
    "Chyba %s při COMMIT",                                                              // cs
    "Modtog fejl %s mens kommandoen COMMIT blev udført",                                // da
    "Fehler %s beim COMMIT",                                                            // de
    "Obtenido error %s durante COMMIT",                                                 // es
    "Viga %s käsu COMMIT täitmisel",                                                    // et
    "Erreur %s lors du COMMIT",                                                         // fr
    "COMMIT के दौरान %s त्रुटि हुई",                                                        // hi
    "%s hiba a COMMIT vegrehajtasa soran",                                              // hu
    "Rilevato l'errore %s durante il COMMIT",                                           // it
    "COMMIT中にエラー %s が発生しました。",                                             // ja
    "შეცდომა %s COMMIT-ის დროს",                                                        // ka
    "Kreeg fout %s tijdens COMMIT",                                                     // nl
    "Obteve erro %s durante COMMIT",                                                    // pt
    "Получена ошибка %s в процессе COMMIT",                                             // ru
    "Greška %s za vreme izvršavanja komande 'COMMIT'",                                  // sr
    "Fick fel %s vid COMMIT",                                                           // sv
    "Отримано помилку %s під час COMMIT",                                               // uk
    "COMMIT时发生错误 %s ",                                                             // zh
];
