-- When the operator last had a failed job run once more, in Unix milliseconds, and how many creates went out before that.
ALTER TABLE jobs ADD COLUMN retried_at BIGINT;
ALTER TABLE jobs ADD COLUMN earlier_dispatches BIGINT NOT NULL DEFAULT 0;

-- Challenges that were handed out, as sums: one that nobody pays leaves nothing else.
CREATE TABLE tallies (
    -- Unix milliseconds of the beginning of the hour.
    hour        BIGINT NOT NULL,
    service     TEXT   NOT NULL,
    issued      BIGINT NOT NULL CHECK (issued >= 0),
    amount_msat BIGINT NOT NULL CHECK (amount_msat >= 0),
    -- Of those, the ones about which the backend can be asked.
    watched     BIGINT NOT NULL CHECK (watched >= 0),
    PRIMARY KEY (hour, service)
);
