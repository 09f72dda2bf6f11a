CREATE TABLE shows (
    id int PRIMARY KEY,
    title text NOT NULL,
    starts_at timestamp NOT NULL,
    on_sale boolean NOT NULL
);

-- The id is chosen by whoever books: a request that is sent twice is one booking.
CREATE TABLE bookings (
    id uuid PRIMARY KEY,
    show_id int NOT NULL REFERENCES shows,
    name text NOT NULL
);

CREATE TABLE seats (
    show_id int NOT NULL REFERENCES shows,
    label text NOT NULL,
    seat_row text NOT NULL,
    number int NOT NULL,
    booking_id uuid REFERENCES bookings,
    PRIMARY KEY (show_id, label)
);
CREATE INDEX ON seats (booking_id);

INSERT INTO shows VALUES
    (1, 'The Tempest', '2026-12-05 19:30', true),
    (2, 'A Midsummer Night''s Dream', '2026-12-12 19:30', true),
    (3, 'Twelfth Night', '2026-11-28 19:30', false);
INSERT INTO seats (show_id, label, seat_row, number)
    SELECT shows.id, seat_row || number, seat_row, number
    FROM shows, unnest(ARRAY['A', 'B', 'C', 'D', 'E']) AS seat_row, generate_series(1, 8) AS number;
