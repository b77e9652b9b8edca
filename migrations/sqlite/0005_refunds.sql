-- Money owed back, and what became of it. The row is written in the transaction that fails the job.
CREATE TABLE refunds_claimable (
    id           TEXT   NOT NULL PRIMARY KEY,
    job_id       TEXT   NOT NULL UNIQUE REFERENCES jobs (id),
    payment_hash TEXT   NOT NULL UNIQUE,
    amount_msat  BIGINT NOT NULL CHECK (amount_msat >= 0),
    -- 'cancelled': the operator has the job run once more.
    status       TEXT   NOT NULL CHECK (status IN ('available', 'claiming', 'paid', 'cancelled')),
    -- Unix milliseconds, like all times here.
    created_at   BIGINT NOT NULL,
    -- How often it was claimed: the number of a claim fences every write about it.
    claims       BIGINT NOT NULL DEFAULT 0,
    -- The last claim, while it is open and when it was paid. One invoice is paid for one refund: offered for a second one,
    -- it would look as if that were paid, too.
    invoice_hash TEXT   UNIQUE,
    invoice      TEXT,
    -- Where the operator is to pay it by hand.
    destination  TEXT,
    -- Who was told to pay: what another backend does not know of a payment says nothing.
    payer        TEXT,
    claimed_at   BIGINT,
    paid_at      BIGINT,
    -- What routing has cost, where the backend says so.
    fee_msat     BIGINT,
    -- What the operator says who has paid it by hand.
    note         TEXT,
    CHECK (status <> 'claiming' OR claimed_at IS NOT NULL),
    CHECK (status <> 'paid' OR paid_at IS NOT NULL)
);

INSERT INTO refunds_claimable (id, job_id, payment_hash, amount_msat, status, created_at)
SELECT id, job_id, payment_hash, amount_msat, 'available', created_at FROM refunds;

DROP TABLE refunds;
ALTER TABLE refunds_claimable RENAME TO refunds;

CREATE INDEX refunds_open ON refunds (created_at) WHERE status IN ('available', 'claiming');
CREATE INDEX refunds_claiming ON refunds (claimed_at) WHERE status = 'claiming';
