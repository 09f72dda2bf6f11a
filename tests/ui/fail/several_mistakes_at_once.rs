use diesel_lockset::Lockable;

diesel::table! {
    seats (section, number) {
        section -> Text,
        number -> Integer,
    }
}

#[derive(Lockable)]
#[diesel(table_name = seats, table_name = seats, primary_key(section, number, row))]
#[lockable(crates = "diesel_lockset")]
struct Seat<'a> {
    section: Option<String>,
    #[diesel(column_name = "the number")]
    number: i32,
    note: &'a str,
}

fn main() {}
