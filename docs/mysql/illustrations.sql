-- The illustration schema that the default mapping of ingest fits: pictures, users, and what users
-- did with pictures.

CREATE TABLE illust (
  illust_id       BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  artist_id       BIGINT UNSIGNED NOT NULL,
  title           VARCHAR(200) NOT NULL DEFAULT '',
  -- [{"name": "ブルーアーカイブ", "translatedName": "碧蓝档案", "id": 602421493}, …]
  tags            JSON NULL,
  width           INT UNSIGNED NOT NULL DEFAULT 0,
  height          INT UNSIGNED NOT NULL DEFAULT 0,
  -- 0 and 2: for everybody, 4: from 15, 6: from 18
  sanity_level    TINYINT UNSIGNED NOT NULL DEFAULT 2,
  -- 0: public, 1 and 2: not shown
  `restrict`      TINYINT UNSIGNED NOT NULL DEFAULT 0,
  -- 0: for everybody, 1 and 2: from 18
  x_restrict      TINYINT UNSIGNED NOT NULL DEFAULT 0,
  total_bookmarks INT UNSIGNED NOT NULL DEFAULT 0,
  total_view      INT UNSIGNED NOT NULL DEFAULT 0,
  create_time     TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE user (
  user_id  BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  username VARCHAR(100) NOT NULL DEFAULT ''
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE interaction (
  user_id     BIGINT UNSIGNED NOT NULL,
  illust_id   BIGINT UNSIGNED NOT NULL,
  -- 0: viewed, 1: bookmarked
  label       TINYINT NOT NULL,
  create_time TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (user_id, illust_id)
) DEFAULT CHARSET = utf8mb4;
