use diesel_lockset::Lockable;

diesel::table! {
    seats (section, number) {
        section -> Text,
        number -> Integer,
    }
}

#[derive(Lockable)]
#[diesel(table_name = seats, primary_key(section, number))]
struct Seat {
    section: String,
    nummer: i32,
}

fn main() {}
