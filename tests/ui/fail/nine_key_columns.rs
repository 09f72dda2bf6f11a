use diesel_lockset::Lockable;

diesel::table! {
    cells (a, b, c, d, e, f, g, h, i) {
        a -> Integer, b -> Integer, c -> Integer, d -> Integer, e -> Integer,
        f -> Integer, g -> Integer, h -> Integer, i -> Integer,
    }
}

#[derive(Lockable)]
#[diesel(primary_key(a, b, c, d, e, f, g, h, i))]
struct Cell {
    a: i32,
    b: i32,
    c: i32,
    d: i32,
    e: i32,
    f: i32,
    g: i32,
    h: i32,
    i: i32,
}

fn main() {}
