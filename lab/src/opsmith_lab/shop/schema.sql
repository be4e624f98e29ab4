-- The tables of the shop, and a hundred products to sell; safe to run again.
CREATE TABLE IF NOT EXISTS products (
    id integer PRIMARY KEY,
    name text NOT NULL,
    price integer NOT NULL,
    description text NOT NULL
);
CREATE TABLE IF NOT EXISTS stock (
    product integer PRIMARY KEY,
    reserved integer NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS reservations (
    id serial PRIMARY KEY,
    products integer[] NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS payments (
    id serial PRIMARY KEY,
    customer text NOT NULL,
    amount integer NOT NULL,
    token text NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (
    id serial PRIMARY KEY,
    customer text NOT NULL,
    amount integer NOT NULL
);
CREATE TABLE IF NOT EXISTS notices (
    id serial PRIMARY KEY,
    order_id integer NOT NULL,
    customer text NOT NULL
);
INSERT INTO products
    SELECT n, 'product ' || n, 100 + (n * 37) % 900, repeat('a good thing to have. ', 12)
    FROM generate_series(1, 100) AS n
    ON CONFLICT DO NOTHING;
INSERT INTO stock SELECT n, 0 FROM generate_series(1, 100) AS n ON CONFLICT DO NOTHING;
