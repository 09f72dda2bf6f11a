DROP TABLE seats;
DROP TABLE bookings;
DROP TABLE shows;
