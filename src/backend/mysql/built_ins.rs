//! The built-in functions, keywords and operators that read no table, on all versions of MySQL and MariaDB.
//!
//! A stored function may have the name of a built-in function. It is called only if the name has its database in front, or backticks around
//! it, or a space after it.

/// Functions that depend on their arguments or on the time only. `MD5` and `SHA1` are not among them, since MySQL 9.7 has removed them.
pub(super) const FUNCTIONS: [&str; 118] = [
    "ABS",
    "ACOS",
    "ADDDATE",
    "ASCII",
    "ASIN",
    "ATAN",
    "AVG",
    "BIT_LENGTH",
    "CAST",
    "CEIL",
    "CEILING",
    "CHARACTER_LENGTH",
    "CHAR_LENGTH",
    "COALESCE",
    "CONCAT",
    "CONCAT_WS",
    "CONVERT",
    "COS",
    "COUNT",
    "CRC32",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURTIME",
    "DATE",
    "DATEDIFF",
    "DATE_ADD",
    "DATE_FORMAT",
    "DATE_SUB",
    "DAY",
    "DAYOFMONTH",
    "DAYOFWEEK",
    "DAYOFYEAR",
    "EXP",
    "EXTRACT",
    "FIELD",
    "FIND_IN_SET",
    "FLOOR",
    "FORMAT",
    "FROM_UNIXTIME",
    "GREATEST",
    "HEX",
    "HOUR",
    "IF",
    "IFNULL",
    "INSTR",
    "ISNULL",
    "JSON_CONTAINS",
    "JSON_EXTRACT",
    "JSON_LENGTH",
    "JSON_UNQUOTE",
    "LAST_DAY",
    "LCASE",
    "LEAST",
    "LEFT",
    "LENGTH",
    "LN",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "LOCATE",
    "LOG",
    "LOWER",
    "LPAD",
    "LTRIM",
    "MAX",
    "MICROSECOND",
    "MID",
    "MIN",
    "MINUTE",
    "MOD",
    "MONTH",
    "NOW",
    "NULLIF",
    "OCTET_LENGTH",
    "POSITION",
    "POW",
    "POWER",
    "QUARTER",
    "REPEAT",
    "REPLACE",
    "REVERSE",
    "RIGHT",
    "ROUND",
    "RPAD",
    "RTRIM",
    "SECOND",
    "SHA2",
    "SIGN",
    "SIN",
    "SQRT",
    "STRCMP",
    "STR_TO_DATE",
    "SUBDATE",
    "SUBSTR",
    "SUBSTRING",
    "SUBSTRING_INDEX",
    "SUM",
    "TAN",
    "TIME",
    "TIMEDIFF",
    "TIMESTAMP",
    "TIMESTAMPADD",
    "TIMESTAMPDIFF",
    "TIME_TO_SEC",
    "TO_DAYS",
    "TRIM",
    "TRUNCATE",
    "UCASE",
    "UNHEX",
    "UNIX_TIMESTAMP",
    "UPPER",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "WEEK",
    "WEEKDAY",
    "YEAR",
];

/// Keywords and types that may stand before a parenthesis.
pub(super) const KEYWORDS: [&str; 32] = [
    "AGAINST", "ALL", "AND", "AS", "BETWEEN", "BINARY", "BY", "CASE", "CHAR", "DECIMAL", "DISTINCT", "DIV", "ELSE",
    "FROM", "IN", "INTERVAL", "IS", "JOIN", "LIKE", "MATCH", "NOT", "ON", "OR", "REGEXP", "RLIKE", "ROW", "THEN",
    "USING", "VARCHAR", "WHEN", "WHERE", "XOR",
];

/// Operators. These servers have no user-defined operators.
pub(super) const OPERATORS: [&str; 24] = [
    "=", "<=>", "<>", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "||", "&&", "!", "~", "&", "|", "^", "<<",
    ">>", "->", "->>",
];

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, KEYWORDS};
    use crate::{
        backend::mysql::dialect::DIALECT,
        sql::{Allowed, read},
    };

    #[test]
    fn the_lists_are_in_order() {
        assert!(FUNCTIONS.is_sorted() && KEYWORDS.is_sorted());
    }

    #[test]
    fn what_is_not_known_to_read_nothing_is_foreign() {
        let foreign = |sql| read(sql, &DIALECT, Allowed::default()).unwrap().foreign;
        for sql in [
            " WHERE ((`t`.`a` = ?) AND (`t`.`b` IN (?, ?) OR NOT (`t`.`c` <=> ?)))",
            "lower(`t`.`a`) = ? AND `t`.`b` < now() - INTERVAL (5) MINUTE",
            "CAST(`t`.`a` AS CHAR) LIKE ?",
            "(`t`.`b` + 1)",
            "(`t`.`b` + 1) * 2",
            "2 > COALESCE(?, 0)",
            "MATCH (`t`.`a`) AGAINST (? IN BOOLEAN MODE)",
        ] {
            assert!(!foreign(sql), "{sql}");
        }
        for sql in [
            "f(`t`.`a`)",
            "`lower`(`t`.`a`)",
            "db.lower(`t`.`a`)",
            "db . lower(`t`.`a`)",
            "`db`.`f`(1)",
            "now () > 1",
            "now/**/() > 1",
            "`t`.`a` = @b",
            "@b := 1",
            "SLEEP(1) = 0",
            "GET_LOCK('a', 1)",
            "EXISTS (SELECT 1)",
        ] {
            assert!(foreign(sql), "{sql}");
        }
    }
}
