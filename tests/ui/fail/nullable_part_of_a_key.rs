use diesel_lockset::Lockable;

diesel::table! {
    members (user, org) {
        user -> Integer,
        org -> Nullable<Integer>,
        role -> Text,
    }
}

type Maybe<T> = Option<T>;

#[derive(Lockable)]
#[diesel(primary_key(user, org))]
struct Member {
    user: i32,
    org: Maybe<i32>,
}

fn main() {}
