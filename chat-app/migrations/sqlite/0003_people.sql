-- What people decide for themselves and about each other, and who is here.

-- Tokens issued up to tokens_from are over, all but one. A user that is gone keeps its id.
ALTER TABLE users ADD COLUMN settings TEXT;
ALTER TABLE users ADD COLUMN private_receipts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN settings_at BIGINT;
ALTER TABLE users ADD COLUMN tokens_from BIGINT;
ALTER TABLE users ADD COLUMN tokens_except VARCHAR(64);
ALTER TABLE users ADD COLUMN deleted_at BIGINT;

CREATE INDEX users_by_tokens_from ON users (tokens_from);
CREATE INDEX users_by_settings_at ON users (settings_at);

-- Who may not come into a room.
CREATE TABLE room_bans (
    room_id    VARCHAR(64)  NOT NULL,
    user_id    VARCHAR(128) NOT NULL,
    banned_by  VARCHAR(128) NOT NULL,
    created_at BIGINT       NOT NULL,
    PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;

-- Words that let whoever has them into a room, until they are over.
CREATE TABLE room_invites (
    room_id    VARCHAR(64)  NOT NULL,
    code       VARCHAR(64)  NOT NULL,
    created_by VARCHAR(128) NOT NULL,
    expires_at BIGINT       NOT NULL,
    PRIMARY KEY (room_id, code)
) WITHOUT ROWID;

CREATE INDEX room_invites_by_end ON room_invites (expires_at);

-- Who wants no messages from whom in their direct room.
CREATE TABLE blocks (
    user_id    VARCHAR(128) NOT NULL,
    blocked_id VARCHAR(128) NOT NULL,
    created_at BIGINT       NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) WITHOUT ROWID;

-- Which processes have sessions of whom, by the database's clock.
CREATE TABLE presences (
    user_id  VARCHAR(128) NOT NULL,
    process  VARCHAR(64)  NOT NULL,
    until_at BIGINT       NOT NULL,
    PRIMARY KEY (user_id, process)
) WITHOUT ROWID;

CREATE INDEX presences_by_process ON presences (process);
CREATE INDEX presences_by_end ON presences (until_at);
