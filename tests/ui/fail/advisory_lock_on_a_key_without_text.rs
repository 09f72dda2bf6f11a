include!("../bank.rs");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::BigInt)]
struct VoucherId(i64);

diesel::table! { vouchers (id) { id -> BigInt, } }

#[derive(Lockable)]
#[diesel(table_name = vouchers)]
struct Voucher {
    id: VoucherId,
}

fn lock(voucher: &Voucher) {
    let _ = AdvisoryLock::on(voucher);
}

fn main() {}
