-- Devices, and what they are due. Times are milliseconds by the database's clock.

CREATE TABLE devices (
    id         VARCHAR(64)  NOT NULL PRIMARY KEY,
    user_id    VARCHAR(128) NOT NULL,
    -- What only one device has at a time: SHA-256 of kind and address.
    place      VARCHAR(64)  NOT NULL,
    kind       VARCHAR(16)  NOT NULL,
    -- How to reach it, with its keys, as JSON.
    address    TEXT         NOT NULL,
    language   VARCHAR(8)   NOT NULL,
    -- The session that registered it.
    token_id   VARCHAR(64)  NOT NULL,
    created_at BIGINT       NOT NULL,
    UNIQUE (place)
);

CREATE INDEX devices_by_user ON devices (user_id, id);
CREATE INDEX devices_by_token ON devices (token_id);

-- Rooms with messages of which nobody has been told yet: the first and the newest of them.
CREATE TABLE push_due (
    room_id       VARCHAR(64) NOT NULL PRIMARY KEY,
    since_ordinal BIGINT      NOT NULL,
    upto_ordinal  BIGINT      NOT NULL,
    due_at        BIGINT      NOT NULL
);

CREATE INDEX push_due_by_time ON push_due (due_at);

-- One push a room and device, until it is sent or nobody wants it any more.
CREATE TABLE push_jobs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    room_id       VARCHAR(64)  NOT NULL,
    device_id     VARCHAR(64)  NOT NULL,
    user_id       VARCHAR(128) NOT NULL,
    since_ordinal BIGINT       NOT NULL,
    upto_ordinal  BIGINT       NOT NULL,
    -- When the first of its messages was stored.
    said_at       BIGINT       NOT NULL,
    -- Not before this: a pause, or a worker's lease.
    next_at       BIGINT       NOT NULL,
    attempts      BIGINT       NOT NULL DEFAULT 0,
    -- Given up; an operator may try it again.
    dead          BIGINT       NOT NULL DEFAULT 0,
    cause         VARCHAR(255),
    UNIQUE (room_id, device_id)
);

CREATE INDEX push_jobs_by_time ON push_jobs (dead, next_at, id);
CREATE INDEX push_jobs_by_age ON push_jobs (dead, said_at);
CREATE INDEX push_jobs_by_device ON push_jobs (device_id);
