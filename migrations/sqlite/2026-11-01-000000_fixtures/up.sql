-- The fixtures of `migrations/postgres`, for SQLite.
--
-- What differs from there:
-- - A UUID is a blob.
-- - No `s1.items` and `s2.items`: a schema is a file here, and a test has one of its own.
-- - `events` has no partitions.

-- Who owns how much. `v` counts changes. `balance > 9` is 1, 2 and 4; row 1 has 10.
CREATE TABLE accounts (
    id      integer      PRIMARY KEY,
    owner   text         NOT NULL,
    balance integer      NOT NULL,
    v       integer      NOT NULL DEFAULT 0
);
INSERT INTO accounts (id, owner, balance) VALUES
    (1, 'ada', 10),
    (2, 'ben', 20),
    (3, 'cleo', 5),
    (4, 'dan', 40),
    (5, 'eve', 0);

-- A work queue. Four are NEW with falling numbers for `priority`, so that the order by priority is the id's reversed.
CREATE TABLE jobs (
    id       integer      PRIMARY KEY,
    queue    text         NOT NULL DEFAULT 'mail',
    status   text         NOT NULL DEFAULT 'NEW',
    priority integer      NOT NULL DEFAULT 0,
    run_at   timestamp    NOT NULL DEFAULT '2026-01-01 00:00:00',
    attempts integer      NOT NULL DEFAULT 0,
    payload  text         NOT NULL DEFAULT ''
);
INSERT INTO jobs (id, status, priority, payload) VALUES
    (1, 'NEW', 30, 'to ada'),
    (2, 'NEW', 20, 'to ben'),
    (3, 'NEW', 10, 'to cleo'),
    (4, 'NEW', 5, 'to dan'),
    (5, 'DONE', 1, 'to eve');

-- A foreign key. Parents 3 and 4 have no children.
CREATE TABLE parents (
    id   integer      PRIMARY KEY,
    data text         NOT NULL
);
INSERT INTO parents (id, data) VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four');

CREATE TABLE children (
    id        integer      PRIMARY KEY,
    parent_id integer      NOT NULL,
    note      text         NOT NULL DEFAULT '',
    FOREIGN KEY (parent_id) REFERENCES parents (id)
);
INSERT INTO children (id, parent_id, note) VALUES
    (10, 1, 'first of one'),
    (11, 1, 'second of one'),
    (20, 2, 'first of two');

-- Keys of every kind.
CREATE TABLE seats (
    section text         NOT NULL,
    number  integer      NOT NULL,
    holder  text        ,
    PRIMARY KEY (section, number)
);
INSERT INTO seats (section, number) VALUES ('A', 1), ('A', 2), ('B', 1), ('B', 2), ('C', 1);

CREATE TABLE tags (
    name text         PRIMARY KEY,
    uses integer      NOT NULL DEFAULT 0
);
INSERT INTO tags (name) VALUES ('Zebra'), ('apple'), ('apple pie'), ('it''s'), ('Äpfel'), ('');

CREATE TABLE docs (
    uid   blob         PRIMARY KEY,
    title text         NOT NULL
);
INSERT INTO docs (uid, title) VALUES
    (x'00000000000000000000000000000001', 'first'),
    (x'7f000000000000000000000000000002', 'second'),
    (x'80000000000000000000000000000003', 'third');

CREATE TABLE days (
    day  date         PRIMARY KEY,
    note text         NOT NULL
);
INSERT INTO days (day, note) VALUES
    ('1969-12-31', 'before the epoch'),
    ('2026-02-28', 'a Saturday'),
    ('2026-03-01', 'the day after');

CREATE TABLE blobs (
    `key` blob           PRIMARY KEY,
    body  text           NOT NULL
);
INSERT INTO blobs (`key`, body) VALUES
    (x'', 'empty key'),
    (x'00ff', 'zero byte first'),
    (x'80', 'high bit'),
    (x'7f', 'all bits but the high one');

CREATE TABLE small_things (
    id   smallint     PRIMARY KEY,
    name text         NOT NULL
);
INSERT INTO small_things (id, name) VALUES (-1, 'below zero'), (0, 'zero'), (1, 'one'), (32767, 'largest');

-- The key is a type of its own in Rust.
CREATE TABLE tickets (
    number integer      PRIMARY KEY,
    title  text         NOT NULL
);
INSERT INTO tickets (number, title) VALUES (101, 'leaking tap'), (102, 'broken lamp'), (103, 'lost key');

-- Words of the locking clause as names.
CREATE TABLE `order` (
    `key`    integer      PRIMARY KEY,
    `of`     text         NOT NULL,
    `skip`   integer      NOT NULL DEFAULT 0,
    `nowait` integer      NOT NULL DEFAULT 0,
    `locked` boolean      NOT NULL DEFAULT false
);
INSERT INTO `order` (`key`, `of`) VALUES (1, 'merit'), (2, 'service'), (3, 'magnitude');

-- A shop: three tables deep, for joins and for locking an order with its items.
CREATE TABLE customers (
    id   integer      PRIMARY KEY,
    name text         NOT NULL
);
INSERT INTO customers (id, name) VALUES (1, 'Ada'), (2, 'Ben'), (3, 'Cleo');

CREATE TABLE orders (
    id          integer      PRIMARY KEY,
    customer_id bigint       NOT NULL,
    status      text         NOT NULL DEFAULT 'open',
    total       integer      NOT NULL DEFAULT 0,
    FOREIGN KEY (customer_id) REFERENCES customers (id)
);
INSERT INTO orders (id, customer_id, status, total) VALUES
    (1, 1, 'open', 100),
    (2, 1, 'open', 250),
    (3, 2, 'open', 40),
    (4, 2, 'paid', 70);

CREATE TABLE order_items (
    id       integer      PRIMARY KEY,
    order_id bigint       NOT NULL,
    product  text         NOT NULL,
    quantity integer      NOT NULL,
    FOREIGN KEY (order_id) REFERENCES orders (id)
);
INSERT INTO order_items (id, order_id, product, quantity) VALUES
    (1, 1, 'lamp', 2),
    (2, 1, 'chair', 1),
    (3, 2, 'lamp', 5),
    (4, 3, 'desk', 1);

-- Stock and what was taken from it: check, then write.
CREATE TABLE products (
    id    integer      PRIMARY KEY,
    name  text         NOT NULL,
    stock integer      NOT NULL
);
INSERT INTO products (id, name, stock) VALUES (1, 'lamp', 10), (2, 'chair', 3), (3, 'desk', 0);

CREATE TABLE purchases (
    id         integer PRIMARY KEY,
    product_id bigint  NOT NULL,
    quantity   integer NOT NULL,
    FOREIGN KEY (product_id) REFERENCES products (id)
);

CREATE TABLE articles (
    id       integer      PRIMARY KEY,
    title    text         NOT NULL,
    body     text         NOT NULL DEFAULT (''),
    revision integer      NOT NULL DEFAULT 1
);
INSERT INTO articles (id, title) VALUES (1, 'Locks'), (2, 'Queues'), (3, 'Clocks');

-- A key of two columns; on servers a table in several parts.
CREATE TABLE events (
    id     bigint       NOT NULL,
    region text         NOT NULL,
    note   text         NOT NULL DEFAULT '',
    PRIMARY KEY (id, region)
);
INSERT INTO events (id, region) VALUES (1, 'south'), (1, 'north'), (2, 'north'), (3, 'east');
