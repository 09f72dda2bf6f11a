use diesel::prelude::*;
use diesel_lockset::{LockDsl, Lockable};

diesel::table! {
    members (org) {
        org -> Integer,
        role -> Text,
    }
}

type MaybeOrg = Option<i32>;

#[derive(Queryable, Selectable, Lockable)]
#[diesel(primary_key(org))]
struct Member {
    org: MaybeOrg,
}

fn lock(conn: &mut PgConnection) -> diesel_lockset::Result<Member> {
    Member::lock_by_id(Some(1), conn)
}

fn main() {}
