use diesel_lockset::Lockable;

diesel::table! {
    seats (section, number) {
        section -> Text,
        number -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Section(String);

#[derive(Lockable)]
#[diesel(primary_key(section, number))]
struct Seat {
    section: Section,
    number: i32,
}

fn main() {}
