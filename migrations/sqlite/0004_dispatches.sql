-- Creates that went out to providers, or were about to: what one is looked for by, and what it cost.
CREATE TABLE dispatches (
    job_id         TEXT   NOT NULL REFERENCES jobs (id),
    -- The number of the create, from 1. One that was surely not started gives its number to the next.
    seq            BIGINT NOT NULL,
    route          TEXT   NOT NULL,
    -- The provider's account in the configuration: ids are unique within it.
    account        TEXT   NOT NULL,
    -- Unix milliseconds of the intent, like all times here.
    sent_at        BIGINT NOT NULL,
    -- What finds the generation again, as soon as it is known.
    upstream_id    TEXT,
    -- Millionths of the provider's own unit that it says it charged.
    charged_micros BIGINT,
    -- What that is to the operator.
    cost_msat      BIGINT,
    PRIMARY KEY (job_id, seq)
);

CREATE UNIQUE INDEX dispatches_by_upstream ON dispatches (account, upstream_id) WHERE upstream_id IS NOT NULL;
