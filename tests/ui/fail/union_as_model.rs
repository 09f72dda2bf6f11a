use diesel_lockset::Lockable;

#[derive(Lockable)]
union Account {
    id: i64,
}

fn main() {}
