use diesel_lockset::Lockable;

diesel::table! {
    members (org) {
        org -> Nullable<Integer>,
        role -> Text,
    }
}

type MaybeOrg = Option<i32>;

#[derive(Lockable)]
#[diesel(primary_key(org))]
struct Member {
    org: MaybeOrg,
}

fn main() {}
