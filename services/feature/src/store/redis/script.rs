//! The scripts, and calls of them.

use std::sync::LazyLock;

use deadpool_redis::redis::{
    self, Cmd, ErrorKind, FromRedisValue, RedisResult, Script, ServerErrorKind, ToRedisArgs,
    aio::ConnectionLike,
};

pub(super) struct Source {
    code: &'static str,
    hash: String,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<Source> = LazyLock::new(|| {
            let code = include_str!(concat!("scripts/", $file));
            Source { code, hash: Script::new(code).get_hash().to_owned() }
        });)*
    };
}

scripts! {
    OPEN = "open.lua";
    RENAME = "rename.lua";
    COMMIT = "commit.lua";
    TRIM = "trim.lua";
    OUTBOX = "outbox.lua";
    LOG = "log.lua";
    ITEMS = "items.lua";
    EVENTS = "events.lua";
}

/// A script with its keys and arguments.
pub(super) struct Invocation {
    source: &'static Source,
    keys: usize,
    /// Keys, then arguments.
    arguments: Vec<Vec<u8>>,
}

impl Invocation {
    pub(super) fn of(source: &'static Source) -> Self {
        Self { source, keys: 0, arguments: Vec::new() }
    }

    /// Keys go before arguments.
    pub(super) fn key(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        assert_eq!(self.keys, self.arguments.len(), "keys go before arguments");
        self.arguments.push(key.into());
        self.keys += 1;
        self
    }

    pub(super) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.arguments.extend(argument.to_redis_args());
        self
    }

    /// An argument that is one value, also where it is empty.
    pub(super) fn bytes(&mut self, argument: impl Into<Vec<u8>>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn rows(&mut self, rows: &[Vec<u8>]) -> &mut Self {
        self.arguments.extend_from_slice(rows);
        self
    }

    /// By its hash; where the server has not met the script yet, by its text. The text goes to the
    /// node of the keys only, whatever other nodes do.
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        connection: &mut impl ConnectionLike,
    ) -> RedisResult<T> {
        match self.command("EVALSHA", &self.source.hash).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.command("EVAL", self.source.code).query_async(connection).await
            }
            answer => answer,
        }
    }

    /// With another command right after it; gives both answers. By its text: an unknown hash would
    /// be told only after the other command.
    pub(super) async fn send_with<T: FromRedisValue>(
        &self,
        then: &Cmd,
        connection: &mut impl ConnectionLike,
    ) -> RedisResult<T> {
        let mut both = redis::pipe();
        both.add_command(self.command("EVAL", self.source.code)).add_command(then.clone());
        both.query_async(connection).await
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = Cmd::new();
        command.arg(name).arg(script).arg(self.keys);
        for argument in &self.arguments {
            command.arg(argument.as_slice());
        }
        command
    }
}
