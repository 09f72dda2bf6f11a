include!("../bank.rs");

use std::{collections::HashMap, time::Duration};

use diesel_lockset::Locked;

fn set(conn: &mut PgConnection, one: &Account, team: &[Account], by_name: HashMap<String, Account>) {
    let keys: Vec<i64> = vec![1, 2];
    let names = String::from("Ada");
    let borrowed = accounts::table.filter(accounts::owner.eq(&names));
    let result: Result<Locked, LockError> = LockSet::new()
        .row(one)
        .row(&by_name["Ada"])
        .rows(team)
        .rows::<Account>([one, one])
        .rows(by_name.values().filter(|account| account.balance > 9))
        .rows(Some(one))
        .id::<Account>(3)
        .id::<Account>(&3)
        .ids::<Account>(&keys)
        .ids::<Account>(keys.iter().copied())
        .ids::<Account>([4, 5])
        .id::<Seat>(("A".to_owned(), 1))
        .query::<Account>(accounts::table)
        .query::<Account>(accounts::table.find(1))
        .query::<Account>(borrowed)
        .query::<Account>(accounts::table.into_boxed().or_filter(accounts::balance.gt(9)).limit(3))
        .query::<Account>(accounts::table.inner_join(transfers::table).select(transfers::amount).distinct())
        .query::<Account>(accounts::table.left_join(transfers::table).filter(transfers::id.is_null()))
        .for_share()
        .query::<Transfer>(transfers::table.inner_join(accounts::table).order(accounts::balance.desc()).limit(10))
        .for_no_key_update()
        .query::<Seat>(seats::table.filter(seats::number.eq_any([1, 2])))
        .allow_missing()
        .lock(conn);
    if let Ok(mut locked) = result {
        let _: &[Account] = locked.rows();
        let _: Option<&Account> = locked.row(one).ok();
        let _: Result<Seat, LockError> = locked.take_id(("A".to_owned(), 1));
        let _: Vec<Transfer> = locked.take_rows();
    }
}

fn in_pieces(conn: &mut PgConnection, team: &[Account], also: Option<i64>) -> Result<Locked, LockError> {
    let mut set = LockSet::new().rows(team);
    if let Some(id) = also {
        set = set.id::<Transfer>(id);
    }
    set.timeout(Duration::from_millis(500)).lock(conn)
}

fn crosses_threads(set: LockSet<'static, diesel::pg::Pg>) -> impl Send {
    let fits = |value| std::thread::spawn(move || drop::<LockSet<'static, diesel::pg::Pg>>(value));
    fits(set)
}

fn main() {
    let _ = (set, in_pieces, crosses_threads);
}
