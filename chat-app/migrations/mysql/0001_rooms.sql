-- Accounts, rooms, members, history, and how far the log has been read.
-- Times are milliseconds since 1970; positions are text, as clients see them, and compare as text.
-- Ids compare byte by byte; names, which people search by, without case.

CREATE TABLE users (
    id            VARCHAR(128)  NOT NULL PRIMARY KEY,
    name          VARCHAR(128) COLLATE utf8mb4_general_ci NOT NULL,
    picture       VARCHAR(1024),
    password_hash VARCHAR(255),
    created_at    BIGINT        NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Tokens that were given up before their time; a row may go once the token has expired.
CREATE TABLE revoked_tokens (
    id         VARCHAR(64)  NOT NULL PRIMARY KEY,
    user_id    VARCHAR(128) NOT NULL,
    expires_at BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A direct room has its pair, the lower id first; groups have none, and NULLs never collide.
CREATE TABLE rooms (
    id           VARCHAR(64)  NOT NULL PRIMARY KEY,
    kind         VARCHAR(8)   NOT NULL,
    is_public    BIGINT       NOT NULL,
    name         VARCHAR(128) COLLATE utf8mb4_general_ci,
    pair_low     VARCHAR(128),
    pair_high    VARCHAR(128),
    version      BIGINT       NOT NULL,
    member_count BIGINT       NOT NULL,
    created_at   BIGINT       NOT NULL,
    UNIQUE (pair_low, pair_high)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX rooms_public ON rooms (is_public, id);

-- One row per member, none per message and member.
CREATE TABLE members (
    room_id            VARCHAR(64)  NOT NULL,
    user_id            VARCHAR(128) NOT NULL,
    role               VARCHAR(8)   NOT NULL,
    version            BIGINT       NOT NULL,
    joined_at          BIGINT       NOT NULL,
    read_position      VARCHAR(25)  NOT NULL DEFAULT '',
    read_ordinal       BIGINT       NOT NULL DEFAULT 0,
    delivered_position VARCHAR(25)  NOT NULL DEFAULT '',
    -- The room is not listed until it has a message above this one.
    hidden_ordinal     BIGINT       NOT NULL DEFAULT -1,
    muted_until        BIGINT,
    PRIMARY KEY (room_id, user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX members_by_user ON members (user_id, room_id);

-- What changes with every message, apart from the room itself.
CREATE TABLE room_heads (
    room_id      VARCHAR(64) NOT NULL PRIMARY KEY,
    last_ordinal BIGINT      NOT NULL,
    active_at    BIGINT      NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Clustered by room and ordinal: a page of history is one piece of the table.
CREATE TABLE messages (
    room_id           VARCHAR(64)  NOT NULL,
    ordinal           BIGINT       NOT NULL,
    id                VARCHAR(64)  NOT NULL,
    sender            VARCHAR(128) NOT NULL,
    client_message_id VARCHAR(64),
    position          VARCHAR(25),
    changed_position  VARCHAR(25),
    body              MEDIUMTEXT   NOT NULL,
    created_at        BIGINT       NOT NULL,
    edited_at         BIGINT,
    deleted_at        BIGINT,
    PRIMARY KEY (room_id, ordinal)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE UNIQUE INDEX messages_by_id ON messages (room_id, id);
CREATE UNIQUE INDEX messages_by_client_id ON messages (room_id, sender, client_message_id);
CREATE INDEX messages_by_position ON messages (room_id, position);

-- Up to where each partition of the log has been taken over into these tables.
CREATE TABLE log_cursor (
    part        BIGINT  NOT NULL PRIMARY KEY,
    epoch       BIGINT  NOT NULL,
    next_offset BIGINT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Records that could not be applied: the cursor went on, an operator may look.
CREATE TABLE dead_records (
    part       BIGINT       NOT NULL,
    log_offset BIGINT       NOT NULL,
    epoch      BIGINT       NOT NULL,
    route      VARCHAR(255) NOT NULL,
    reason     VARCHAR(255) NOT NULL,
    body       MEDIUMTEXT   NOT NULL,
    PRIMARY KEY (part, log_offset, epoch)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Changes of rooms that are committed here and not yet in the log.
CREATE TABLE outbox (
    id      BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    room_id VARCHAR(64) NOT NULL,
    version BIGINT      NOT NULL,
    event   MEDIUMTEXT  NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What a POST made, so that the same one again makes nothing.
CREATE TABLE idempotency_keys (
    user_id      VARCHAR(128) NOT NULL,
    idem_key     VARCHAR(128) NOT NULL,
    request_hash VARCHAR(64)  NOT NULL,
    room_id      VARCHAR(64)  NOT NULL,
    created_at   BIGINT       NOT NULL,
    PRIMARY KEY (user_id, idem_key)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
