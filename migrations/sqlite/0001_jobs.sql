-- Redemptions and what became of them. Rows are never deleted: a payment hash buys at most one job, for ever.
CREATE TABLE jobs (
    id             TEXT   NOT NULL PRIMARY KEY,
    public_id      TEXT   NOT NULL UNIQUE,
    payment_hash   TEXT   NOT NULL UNIQUE,
    service        TEXT   NOT NULL,
    body_sha256    TEXT   NOT NULL,
    amount_msat    BIGINT NOT NULL CHECK (amount_msat >= 0),
    state          TEXT   NOT NULL
        CHECK (state IN ('queued', 'dispatching', 'running', 'storing', 'succeeded', 'failed')),
    -- The lease's number: it fences every write of a worker.
    attempt        BIGINT NOT NULL DEFAULT 0,
    -- When the job is due: after a pause, or when the lease on it runs out unrenewed.
    run_after      BIGINT NOT NULL,
    -- Above zero while a lease is on the job.
    lease_until    BIGINT NOT NULL DEFAULT 0,
    deadline_at    BIGINT NOT NULL,
    -- How often a create went out, and how often an attempt ended without an outcome.
    dispatches     BIGINT NOT NULL DEFAULT 0,
    failures       BIGINT NOT NULL DEFAULT 0,
    provider       TEXT,
    upstream_id    TEXT,
    artifact       TEXT   UNIQUE,
    failure        TEXT,
    -- Unix milliseconds, like all times here.
    created_at     BIGINT NOT NULL,
    finished_at    BIGINT,
    expires_at     BIGINT,
    swept_at       BIGINT
);

CREATE INDEX jobs_open ON jobs (run_after) WHERE state NOT IN ('succeeded', 'failed');
CREATE INDEX jobs_to_sweep ON jobs (expires_at) WHERE artifact IS NOT NULL AND swept_at IS NULL;

-- What a job needs to run; deleted when it ends.
CREATE TABLE job_inputs (
    job_id TEXT NOT NULL PRIMARY KEY REFERENCES jobs (id),
    params TEXT NOT NULL,
    -- An input of up to 64 KiB stands here, a larger one in a file of the job's id.
    bytes  BLOB,
    file   TEXT
);

-- Money owed back. The row is written in the transaction that fails the job.
CREATE TABLE refunds (
    id           TEXT   NOT NULL PRIMARY KEY,
    job_id       TEXT   NOT NULL UNIQUE REFERENCES jobs (id),
    payment_hash TEXT   NOT NULL UNIQUE,
    amount_msat  BIGINT NOT NULL CHECK (amount_msat >= 0),
    status       TEXT   NOT NULL DEFAULT 'due',
    created_at   BIGINT NOT NULL
);

CREATE INDEX refunds_due ON refunds (created_at) WHERE status = 'due';

-- Fingerprints of the secrets that minted macaroons, so that one is not dropped while its tokens can be presented.
CREATE TABLE minting_keys (
    fingerprint TEXT   NOT NULL PRIMARY KEY,
    first_used  BIGINT NOT NULL,
    -- NULL: it is the one that mints now.
    last_used   BIGINT
);
