-- Payments that the Lightning backend says have arrived, whatever they bought. Redemption does not rest on these rows:
-- a preimage proves a payment. They are what the books are checked against, and a payment that was never redeemed is
-- found here alone.
CREATE TABLE settlements (
    payment_hash  TEXT   NOT NULL PRIMARY KEY,
    -- What arrived, which may be more than was asked for.
    amount_msat   BIGINT NOT NULL CHECK (amount_msat >= 0),
    -- Unix milliseconds, like all times here.
    challenged_at BIGINT NOT NULL,
    settled_at    BIGINT NOT NULL
);

CREATE INDEX settlements_by_time ON settlements (settled_at);
