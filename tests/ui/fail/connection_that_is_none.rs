include!("../bank.rs");

struct Gateway;

fn set(gateway: &mut Gateway, account: &Account) {
    let _ = LockSet::new().row(account).lock(gateway);
}

fn main() {}
