-- Whether somebody is called back when the job ends; it stays when the callback is over.
ALTER TABLE jobs ADD COLUMN calls_back BIGINT NOT NULL DEFAULT 0;

-- Callbacks that callers have asked for. A row is written in the transaction that redeems the payment, and becomes due in
-- the one that ends the job. When it is over, the URL, the caller's id and the secret are deleted.
CREATE TABLE callbacks (
    job_id      TEXT   NOT NULL PRIMARY KEY REFERENCES jobs (id),
    -- The id that every try bears.
    delivery_id TEXT   NOT NULL UNIQUE,
    url         TEXT,
    caller_id   TEXT,
    secret      TEXT,
    tries       BIGINT NOT NULL DEFAULT 0,
    -- Unix milliseconds of the next try; NULL before the job's end and when the callback is over.
    due_at      BIGINT,
    -- NULL while there is something to do.
    outcome     TEXT CHECK (outcome IN ('delivered', 'gone', 'given_up'))
);

CREATE INDEX callbacks_due ON callbacks (due_at, job_id) WHERE due_at IS NOT NULL;
