use diesel_lockset::Lockable;

diesel::table! {
    members (id) {
        id -> Nullable<Integer>,
        role -> Text,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Id(Option<i32>);

#[derive(Lockable)]
struct Member {
    id: Id,
}

fn main() {}
