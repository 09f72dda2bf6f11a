//! SeaORM: `lock_exclusive()`, and active models.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set, TransactionTrait,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType},
};

use crate::{backlog::TAKEN, operation::Work, shared::Result, slice::Session};

#[allow(unreachable_pub, reason = "the derives write `pub`")]
mod account {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "accounts")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub balance: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[allow(unreachable_pub, reason = "the derives write `pub`")]
mod teller {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "tellers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub balance: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[allow(unreachable_pub, reason = "the derives write `pub`")]
mod job {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "jobs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub status: String,
        pub priority: i32,
        pub payload: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A pool of one connection: SeaORM has no connection without a pool, and a pool of sqlx pings a connection that is given back.
pub(crate) struct SeaOrm(DatabaseConnection);

impl Session for SeaOrm {
    async fn open(url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        // Without this each transaction begins with a ping.
        options.min_connections(1).max_connections(1).test_before_acquire(false).sqlx_logging(false);
        Ok(SeaOrm(Database::connect(options).await?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        if let Work::NoTransaction(id) = work {
            // Nothing holds the lock once the first statement is over.
            return one_row(&self.0, id).await;
        }
        let tx = self.0.begin().await?;
        let rows = in_transaction(&tx, work).await?;
        tx.commit().await?;
        Ok(rows)
    }
}

async fn in_transaction(tx: &DatabaseTransaction, work: Work) -> Result<usize> {
    match work {
        Work::OneRow(id) | Work::NoTransaction(id) => one_row(tx, id).await,
        Work::SixRows { accounts, tellers } => {
            let locked = account::Entity::find().filter(account::Column::Id.is_in(accounts));
            let locked = locked.order_by_asc(account::Column::Id).lock_exclusive().all(tx).await?;
            let counted = teller::Entity::find().filter(teller::Column::Id.is_in(tellers));
            let counted = counted.order_by_asc(teller::Column::Id).lock_exclusive().all(tx).await?;
            account::Entity::update_many()
                .col_expr(account::Column::Balance, Expr::col(account::Column::Balance).add(1))
                .filter(account::Column::Id.is_in(accounts))
                .exec(tx)
                .await?;
            teller::Entity::update_many()
                .col_expr(teller::Column::Balance, Expr::col(teller::Column::Balance).sub(1))
                .filter(teller::Column::Id.is_in(tellers))
                .exec(tx)
                .await?;
            Ok(locked.len() + counted.len())
        }
        Work::Claim(n) => {
            let next = job::Entity::find().filter(job::Column::Status.eq("new"));
            let next = next.order_by_asc(job::Column::Priority).order_by_asc(job::Column::Id).limit(u64::from(n));
            let picked = next.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).all(tx).await?;
            job::Entity::update_many()
                .col_expr(job::Column::Status, Expr::value(TAKEN))
                .filter(job::Column::Id.is_in(picked.iter().map(|job| job.id)))
                .exec(tx)
                .await?;
            Ok(picked.len())
        }
        Work::Transfer { from, to } => {
            let both = account::Entity::find().filter(account::Column::Id.is_in([from, to]));
            for account in both.order_by_asc(account::Column::Id).lock_exclusive().all(tx).await? {
                let change = if account.id == from { -1 } else { 1 };
                add(tx, account, change).await?;
            }
            Ok(2)
        }
    }
}

async fn one_row(conn: &impl ConnectionTrait, id: i32) -> Result<usize> {
    let account = account::Entity::find_by_id(id).lock_exclusive().one(conn).await?.ok_or("no such account")?;
    add(conn, account, 1).await?;
    Ok(1)
}

async fn add(conn: &impl ConnectionTrait, account: account::Model, change: i32) -> Result<()> {
    let balance = account.balance + change;
    let mut account = account.into_active_model();
    account.balance = Set(balance);
    account.update(conn).await?;
    Ok(())
}
