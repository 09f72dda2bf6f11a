use diesel_lockset::Lockable;

diesel::table! {
    seats (section, number) {
        section -> Text,
        number -> Integer,
    }
}

#[derive(Lockable)]
#[diesel(primary_key(section))]
struct Seat {
    section: String,
    number: i32,
}

fn main() {}
