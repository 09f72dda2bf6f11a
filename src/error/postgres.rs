//! The messages of PostgreSQL about locks, in all languages of the server. `%s` stands for the name of a relation.
//!
//! They are taken from the translations of the server's own messages, versions 15 and 17 to 19: the primary messages of
//! SQLSTATE 40P01, 55P03, 57014 and others ([codes](https://www.postgresql.org/docs/current/errcodes-appendix.html)). The language
//! depends on `lc_messages` and on the environment that the server was started in, never on the client.

mod ended;

pub(super) use self::ended::{ENDED, LOST, NOT_SENT};

/// 40P01: a deadlock
pub(super) const DEADLOCK: &[&str] = &[
    "deadlock detected",                 // C
    "Verklemmung (Deadlock) entdeckt",   // de
    "se ha detectado un deadlock",       // es
    "interblocage (deadlock) détecté",   // fr
    "terdeteksi 'deadlock'",             // id
    "rilevato deadlock",                 // it
    "デッドロックを検出しました",        // ja
    "ნაპოვნია ურთიერთბლოკირება",         // ka
    "deadlock 발생했음",                 // ko
    "wykryto zakleszczenie",             // pl
    "impasse detectado",                 // pt_BR
    "обнаружена взаимоблокировка",       // ru
    "deadlock upptäckt",                 // sv
    "çıkmaz (deadlock) durumu saptandı", // tr
    "виявлено взаємне блокування",       // uk
    "检测到死锁",                        // zh_CN
    "發現死結",                          // zh_TW
];

/// 55P03 of `lock_timeout`
pub(super) const LOCK_TIMEOUT: &[&str] = &[
    "canceling statement due to lock timeout",                 // C
    "storniere Anfrage wegen Zeitüberschreitung einer Sperre", // de
    "cancelando la sentencia debido a que se agotó el tiempo de espera de candados (locks)", // es
    "cancelando la sentencia debido a que se agotó el tiempo de espera de “locks”", // es
    "annulation de la requête à cause du délai écoulé pour l'obtention des verrous", // fr
    "pembatalan perintah karena kunci kehabisan waktu tunggu", // id
    "annullamento dell'istruzione a causa di timeout del lock", // it
    "annullamento dell'istruzione a causa di timeout di lock", // it
    "ロックのタイムアウトのためステートメントをキャンセルしています", // ja
    "გამოსახულება გაუქმდება ბლოკის მოლოდინის ვადის ამოწურვის გამო", // ka
    "잠금 대기 시간 초과로 작업을 취소합니다.",                // ko
    "anulowano polecenie z powodu przekroczenia czasu blokady", // pl
    "cancelando comando por causa do tempo de espera (timeout) do bloqueio", // pt_BR
    "выполнение оператора отменено из-за тайм-аута блокировки", // ru
    "avbryter sats på grund av lås-timeout",                   // sv
    "виконання оператора скасовано через тайм-аут блокування", // uk
    "由于锁超时，取消语句操作",                                // zh_CN
    "由于锁超时，正在取消语句",                                // zh_CN
    "由於鎖定逾時，正在取消敘述",                              // zh_TW
];

/// 55P03 of `NOWAIT`
pub(super) const LOCK_NOT_AVAILABLE: &[&str] = &[
    "could not obtain lock on row in relation \"%s\"",               // C
    "could not obtain lock on relation \"%s\"",                      // C
    "konnte Sperre für Zeile in Relation »%s« nicht setzen",         // de
    "no se pudo bloquear un candado en la fila de la relación «%s»", // es
    "no se pudo bloquear un “lock” en la fila de la relación «%s»",  // es
    "n'a pas pu obtenir un verrou sur la relation « %s »",           // fr
    "tidak mendapatkan kunci pada baris relasi « %s »",              // id
    "lock di riga nella relazione \"%s\" fallito",                   // it
    "non è stato possibile ottenere il lock sulla riga nella relazione \"%s\"", // it
    "リレーション\"%s\"の行ロックを取得できませんでした",            // ja
    "ურთიერთობაში \"%s\" მწკრივის დაბლოკვის შეცდომა",                // ka
    "\"%s\" 릴레이션의 잠금 정보를 구할 수 없음",                    // ko
    "nie można nałożyć blokady na rekord w relacji \"%s\"",          // pl
    "não foi possível obter bloqueio na linha da relação \"%s\"",    // pt_BR
    "не удалось получить блокировку строки в таблице \"%s\"",        // ru
    "kunde inte låsa rad i relationen \"%s\"",                       // sv
    "\"%s\" tablosundaki satır için lock alınamadı",                 // tr
    "не вдалося отримати блокування у рядку стосовно \"%s\"",        // uk
    "无法在关系 \"%s\"中的记录上获得锁",                             // zh_CN
    "无法获取关系 \"%s\" 中行的锁",                                  // zh_CN
    "無法取得關聯 \"%s\" 中的資料列鎖定",                            // zh_TW
    "konnte Sperre für Relation »%s« nicht setzen",                  // de
    "no se pudo bloquear un candado en la relación «%s»",            // es
    "no se pudo bloquear un “lock” en la relación «%s»",             // es
    "tidak mendapatkan 'lock' pada relasi« %s »",                    // id
    "lock della relazione \"%s\" fallito",                           // it
    "non è stato possibile ottenere il lock sulla relazione \"%s\"", // it
    "リレーション\"%s\"のロックを取得できませんでした",              // ja
    "ბლოკის მიღების შეცდომა ურთიერთობაზე %s\"",                      // ka
    "nie można nałożyć blokady na relację \"%s\"",                   // pl
    "não foi possível obter bloqueio na relação \"%s\"",             // pt_BR
    "не удалось получить блокировку таблицы \"%s\"",                 // ru
    "kunde inte ta lås på relationen \"%s\"",                        // sv
    "\"%s\" tablosu için kilit alınamadı",                           // tr
    "не вдалося отримати блокування зв'язку \"%s\"",                 // uk
    "无法在关系 \"%s\" 上获得锁",                                    // zh_CN
    "无法获取关系 \"%s\" 上的锁",                                    // zh_CN
    "無法取得關聯 \"%s\" 的鎖定",                                    // zh_TW
];

/// 57014: `statement_timeout`, and a request of a user or administrator
pub(super) const CANCELED: &[&str] = &[
    "canceling statement due to statement timeout",           // C
    "storniere Anfrage wegen Zeitüberschreitung der Anfrage", // de
    "cancelando la sentencia debido a que se agotó el tiempo de espera de sentencias", // es
    "annulation de la requête à cause du délai écoulé pour l'exécution de l'instruction", // fr
    "pembatalan perintah karena perintah kehabisan waktu tunggu", // id
    "annullamento dell'istruzione a causa di timeout",        // it
    "annullamento dell'istruzione a causa di timeout dell'istruzione", // it
    "ステートメントのタイムアウトのためステートメントをキャンセルしています", // ja
    "명령실행시간 초과로 작업을 취소합니다.",                 // ko
    "anulowano polecenie z powodu przekroczonego czasu wykonania", // pl
    "cancelando comando por causa do tempo de espera (timeout) do comando", // pt_BR
    "выполнение оператора отменено из-за тайм-аута",          // ru
    "avbryter sats på grund av sats-timeout",                 // sv
    "sorgu zaman aşımına uğradı ve iptal edildi",             // tr
    "виконання оператора скасовано через тайм-аут",           // uk
    "由于语句执行超时，正在取消查询命令",                     // zh_CN
    "由于语句执行超时，正在取消语句",                         // zh_CN
    "因為陳述式逾時，正在取消陳述式",                         // zh_TW
    "canceling statement due to user request",                // C
    "storniere Anfrage wegen Benutzeraufforderung",           // de
    "cancelando la sentencia debido a una petición del usuario", // es
    "annulation de la requête à la demande de l'utilisateur", // fr
    "annullamento dell'istruzione su richiesta dell'utente",  // it
    "ユーザーからの要求により文をキャンセルしています",       // ja
    "사용자 요청에 의해 작업을 취소합니다.",                  // ko
    "выполнение оператора отменено по запросу пользователя",  // ru
    "avbryter sats på användares begäran",                    // sv
    "виконання оператора скасовано по запиту користувача",    // uk
    "由于用户请求而正在取消查询",                             // zh_CN
];

/// 42809 of a locking clause on a materialized view
pub(super) const MATERIALIZED_VIEW: &[&str] = &[
    "cannot lock rows in materialized view \"%s\"",                       // C
    "kann Zeilen in materialisierter Sicht »%s« nicht sperren",           // de
    "no se puede bloquear registros en la vista materializada «%s»",      // es
    "ne peut pas verrouiller les lignes dans la vue matérialisée « %s »", // fr
    "tidak dapat mengunci baris dalam materialisasi VIEW « %s »",         // id
    "non è possibile bloccare righe nella vista materializzata \"%s\"",   // it
    "実体化ビュー\"%s\"では行のロックはできません",                       // ja
    "მატერიალიზებულ ხედში მწკრივების ჩაკეტვა შეუძლებელია: %s",            // ka
    "\"%s\" 구체화된 뷰에서 로우를 잠글 수 없음",                         // ko
    "nie można blokować wierszy w materializowanym widoku \"%s\"",        // pl
    "não é possível bloquear linhas na visão materializada \"%s\"",       // pt_BR
    "блокировать строки в материализованном представлении \"%s\" нельзя", // ru
    "kan inte låsa rader i materialiserad vy \"%s\"",                     // sv
    "\"%s\" materialized view'indeki satırlar kilitlenemiyor",            // tr
    "блокувати рядки в матеріалізованому поданні \"%s\" не можна",        // uk
    "无法锁定物化视图 \"%s\" 中的行",                                     // zh_CN
];

/// 42501 of a table
pub(super) const NO_PRIVILEGE: &[&str] = &[
    "permission denied for table %s",           // C
    "keine Berechtigung für Tabelle %s",        // de
    "permiso denegado a la tabla %s",           // es
    "droit refusé pour la table %s",            // fr
    "permesso negato per la tabella %s",        // it
    "テーブル %s へのアクセスが拒否されました", // ja
    "წვდომა აკრძალულია ცხრილზე: \"%s\"",        // ka
    "%s 테이블에 대한 접근 권한 없음",          // ko
    "permissão negada para tabela %s",          // pt_BR
    "нет доступа к таблице %s",                 // ru
    "rättighet saknas för tabell %s",           // sv
    "%s tablosuna erişim engellendi",           // tr
    "немає дозволу для таблиці %s",             // uk
    "对表 %s 权限不够",                         // zh_CN
];

/// A part of the message 0A000 about `TABLESAMPLE` on something that is no table, the same in every language. The statements that lock
/// rows begin with such a clause on their table.
pub(super) const SAMPLE: &str = "TABLESAMPLE";

/// 40001, in the languages of version 15. Diesel reports the code; this list is for errors of which only the text is visible.
pub(super) const SERIALIZATION: &[&str] = &[
    "could not serialize access due to concurrent update", // C
    "konnte Zugriff nicht serialisieren wegen gleichzeitiger Aktualisierung", // de
    "no se pudo serializar el acceso debido a un update concurrente", // es
    "n'a pas pu sérialiser un accès à cause d'une mise à jour en parallèle", // fr
    "serializzazione dell'accesso fallita a causa di modifiche concorrenti", // it
    "更新が同時に行われたためアクセスの直列化ができませんでした", // ja
    "ერთდროული განახლების გამო წვდომის სერიალიზაცია შეუძლებელია", // ka
    "동시 업데이트 때문에 순차적 액세스가 불가능합니다",   // ko
    "не удалось сериализовать доступ из-за параллельного изменения", // ru
    "kunde inte serialisera åtkomst på grund av samtidig uppdatering", // sv
    "не вдалося серіалізувати доступ через паралельне оновлення", // uk
    "由于同步更新而无法串行访问",                          // zh_CN
    "could not serialize access due to concurrent delete", // C
    "konnte Zugriff nicht serialisieren wegen gleichzeitigem Löschen", // de
    "no se pudo serializar el acceso debido a un delete concurrente", // es
    "n'a pas pu sérialiser un accès à cause d'une suppression en parallèle", // fr
    "impossibile serializzare l'accesso a causa dell'eliminazione simultanea", // it
    "削除が同時に行われたためアクセスの直列化ができませんでした", // ja
    "ერთდროული წაშლის გამო წვდომის სერიალიზაცია შეუძლებელია", // ka
    "동시 삭제 작업 때문에 순차적 액세스가 불가능합니다",  // ko
    "не удалось сериализовать доступ из-за параллельного удаления", // ru
    "kunde inte serialisera åtkomst på grund av samtidig borttagning", // sv
    "не вдалося серіалізувати доступ через паралельне видалення", // uk
    "由于同步删除，无法序列化访问",                        // zh_CN
    "could not serialize access due to read/write dependencies among transactions", // C
    "konnte Zugriff nicht serialisieren wegen Lese-/Schreib-Abhängigkeiten zwischen Transaktionen", // de
    "no se pudo serializar el acceso debido a dependencias read/write entre transacciones", // es
    "n'a pas pu sérialiser un accès à cause des dépendances de lecture/écriture\nparmi les transactions", // fr
    "serializzazione dell'accesso fallita a causa di dipendenze di lettura/scrittura tra le transazioni", // it
    "トランザクション間で read/write の依存性があったため、アクセスの直列化ができませんでした", // ja
    "트랜잭션간 읽기/쓰기 의존성 때문에 serialize 접근을 할 수 없음", // ko
    "не удалось сериализовать доступ из-за зависимостей чтения/записи между транзакциями", // ru
    "kunde inte serialisera åtkomst på grund av läs/skriv-beroenden bland transaktionerna", // sv
    "не вдалося серіалізувати доступ через залежність читання/запису серед транзакцій", // uk
    "由于多个事务间的读/写依赖而无法串行访问",             // zh_CN
    "tuple to be locked was already moved to another partition due to concurrent update", // C
    "das zu sperrende Tupel wurde schon durch ein gleichzeitiges Update in eine andere Partition verschoben", // de
    "el registro a ser bloqueado ya fue movido a otra partición por un update concurrente", // es
    "la ligne à verrouiller était déjà déplacée dans une autre partition du fait d'une mise à jour concurrente", // fr
    "la tupla da lockare era stata già mossa in un'altra partizione a causa di una modifica concorrente", // it
    "ロック対象のタプルは同時に行われた更新によってすでに他の子テーブルに移動されています", // ja
    "დასაბლოკი კორტეჟი პარალელური განახლების გამო უკვე სხვა დანაყოფშია გადატანილი", // ka
    "잠글 튜플은 동시 업데이트로 다른 파티션으로 이미 옮겨졌음", // ko
    "кортеж, подлежащий блокировке, был перемещён в другую секцию в результате параллельного изменения", // ru
    "tupel som skall låsas har redan flyttats till en annan partition av en samtida uppdatering", // sv
    "кортеж, який підлягає блокуванню, вже був переміщений до іншої секції в результаті паралельного оновлення", // uk
    "由于同时更新，要锁定的元组已移动到另一个分区",        // zh_CN
    "tuple to be deleted was already moved to another partition due to concurrent update", // C
    "das zu löschende Tupel wurde schon durch ein gleichzeitiges Update in eine andere Partition verschoben", // de
    "el registro a ser eliminado ya fue movido a otra partición por un update concurrente", // es
    "la ligne à supprimer était déjà déplacée vers une autre partition du fait d'une mise à jour concurrente", // fr
    "la tupla da cancellare era stata già mossa in un'altra partizione a causa di una modifica concorrente", // it
    "削除対象のタプルは同時に行われた更新によってすでに他の子テーブルに移動されています", // ja
    "წასაშლელი კორტეჟები პარალელური განახლების გამო უკვე სხვა დანაყოფშია გადატანილი", // ka
    "동시 업데이트로 삭제할 튜플이 이미 다른 파티션으로 옮겨졌음", // ko
    "кортеж, подлежащий удалению, был перемещён в другую секцию в результате параллельного изменения", // ru
    "tupel som skall raderas har redan flyttats till en annan partition på grund av samtidig update", // sv
    "кортеж, який підлягає видаленню, вже переміщено в іншу секцію в результаті паралельного оновлення", // uk
];
