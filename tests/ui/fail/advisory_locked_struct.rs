include!("../bank.rs");

#[advisory_locked]
struct Payment {
    amount: i64,
}

fn main() {}
