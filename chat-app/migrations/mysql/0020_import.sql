-- What is being moved in: how far each file has been read, and rooms that are closed until all of it is there.

CREATE TABLE imports (
    source      VARCHAR(64) NOT NULL PRIMARY KEY,
    next_byte   BIGINT      NOT NULL,
    next_line   BIGINT      NOT NULL,
    finished_at BIGINT
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A room that was there before the import is passed over, with everything in it.
CREATE TABLE import_rooms (
    room_id      VARCHAR(64) NOT NULL PRIMARY KEY,
    source       VARCHAR(64) NOT NULL,
    passed_over  BIGINT      NOT NULL,
    kind         VARCHAR(8)  NOT NULL,
    is_public    BIGINT      NOT NULL,
    name         VARCHAR(128),
    pair_low     VARCHAR(128),
    pair_high    VARCHAR(128),
    created_at   BIGINT      NOT NULL,
    last_ordinal BIGINT      NOT NULL,
    active_at    BIGINT      NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX import_rooms_by_source ON import_rooms (source, room_id);

CREATE TABLE import_members (
    room_id      VARCHAR(64)  NOT NULL,
    user_id      VARCHAR(128) NOT NULL,
    role         VARCHAR(8)   NOT NULL,
    joined_at    BIGINT       NOT NULL,
    read_ordinal BIGINT,
    muted_until  BIGINT,
    PRIMARY KEY (room_id, user_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
