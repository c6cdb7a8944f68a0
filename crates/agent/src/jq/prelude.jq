# What gojq has and the engine lacks, or has with another meaning. Definitions follow gojq's own.

def _flags: if . == null then "" else . end;
def _pair($re): if $re | type == "array" then [$re[0], $re[1]] else [$re, null] end;

def keys_unsorted: keys;
def to_entries: if type == "object" then _sorted else . end | [keys[] as $k | {key: $k, value: .[$k]}];
def from_entries:
  map({
    (if .key != null then .key elif .Key != null then .Key elif .name != null then .name
     elif .Name != null then .Name elif .k != null then .k elif .K != null then .K
     elif .key == false then false else null end
     | if type == "string" then . elif type == "null" or type == "boolean" or type == "number" then tojson
       else error("cannot use \(tojson) as object key") end):
      (if has("value") then .value elif has("Value") then .Value elif has("v") then .v else .V end)
  }) | add // {} | _sorted;
def with_entries(f): to_entries | map(f) | from_entries;
def tojson: _sorted_deep | _tojson;
def tostring: if type == "string" then . else tojson end;
def @json: tojson;
def @text: tostring;
def add(f): reduce f as $x (null; . + $x) | if type == "object" then _sorted else . end;
def add: add(.[]);
def toarray: if type == "array" then . else [.] end;
def leaf_paths: paths(scalars);
def walk(f): def _walk: if type == "array" then map(_walk) elif type == "object" then map_values(_walk) end | f; _walk;
def _delpath($p): (try getpath($p[:-1]) catch null) as $parent |
  if $parent == null then . else getpath($p) |= empty end;
def delpaths($paths): reduce ($paths | unique | reverse)[] as $p (.; if $p == [] then null else _delpath($p) end);
def del(f): delpaths([path(f)]);
def pick(f): . as $v | reduce path(f) as $p (null; setpath($p; $v | getpath($p)));
def join($s):
  if length == 0 then "" else
    map(if . == null then "" elif type == "string" then . elif type == "array" or type == "object"
      then error("cannot join \(tojson)") else tojson end) as $parts
    | reduce $parts[1:][] as $x ($parts[0]; . + $s + $x)
  end;
def isvalid(f): try (f | true) catch false;
def ascii: [.] | implode;
def trimstr($s): ltrimstr($s) | rtrimstr($s);
def have_literal_numbers: true;
def have_decnum: false;
def combinations:
  if length == 0 then [] else .[0][] as $x | [$x] + (.[1:] | combinations) end;
def combinations($n): [limit($n; repeat(.))] | combinations;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def dateadd(u; n): . + n;
def datesub(u; n): . - n;
def date: todate;

def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] = $row) | _sorted;
def INDEX(f): INDEX(.[]; f);
def GROUP_BY(f): group_by(f);
def JOIN($idx; f): [.[] | [., $idx[f]]];
def JOIN($idx; stream; f): stream | [., $idx[f]];
def JOIN($idx; stream; f; join): stream | [., $idx[f]] | join;

def getpath($path): reduce $path[] as $p (.; if . == null then null else .[$p] end);
def tostream:
  path(def r: (.[]? | r), .; r) as $p
  | getpath($p)
  | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f):
  foreach f as $pv (
    null;
    if . != null and .e then null else . end
    | $pv as $i
    | if $i | length == 2 then
        setpath(["v"] + $i[0]; $i[1]) | setpath(["e"]; $i[0] | length == 0)
      else
        setpath(["e"]; $i[0] | length == 1)
      end;
    if .e then .v else empty end
  );
def truncate_stream(f): . as $n | null | f | if .[0] | length > $n then .[0] |= .[$n:] else empty end;
def limit($n; g): if $n < 0 then error("limit doesn't support negative count") else _limit($n; g) end;
def skip($n; g): if $n < 0 then error("skip doesn't support negative count") else _skip($n; g) end;
def nth($n; g): if $n < 0 then error("nth doesn't support negative index") else first(skip($n; g)) end;

def match($re; $flags): matches($re; $flags | _flags)[] | .[0] + { captures: .[1:] };
def test($re; $flags): matches($re; $flags | _flags) | any;
def match($re): _pair($re) as $p | match($p[0]; $p[1]);
def test($re): _pair($re) as $p | test($p[0]; $p[1]);
def capture($re; $flags): match($re; $flags) | [.captures[] | select(.name != null) | {(.name): .string}] | add + {} | _sorted;
def capture($re): _pair($re) as $p | capture($p[0]; $p[1]);
def scan($re; $flags): match($re; ($flags | _flags) + "g") | if .captures == [] then .string else [.captures[].string] end;
def scan($re): scan($re; null);
def split($re; $flags): split_($re; ($flags | _flags) + "g");
def splits($re; $flags): split($re; $flags)[];
def splits($re): splits($re; null);
def sub($re; f; $flags):
  . as $in
  | [match($re; $flags)] as $all
  | reduce $all[] as $m ([["", 0]];
      [.[] as [$text, $next]
       | ($m | [.captures[] | select(.name != null) | {(.name): .string}] | add + {} | f) as $new
       | [$text + $in[$next:$m.offset] + $new, $m.offset + $m.length]])
  | .[] | .[0] + $in[.[1]:];
def sub($re; f): sub($re; f; null);
def gsub($re; f; $flags): sub($re; f; ($flags | _flags) + "g");
def gsub($re; f): gsub($re; f; null);

def _row(f): if type == "array" then . else error("\(tojson) cannot be formatted as a row") end
  | map(if type == "array" or type == "object" then error("\(tojson) cannot be formatted in a row") else f end);
def @csv: _row(if type == "string" then "\"" + (split("\"") | join("\"\"")) + "\"" elif . == null then "" else tojson end) | join(",");
def @tsv: _row(
    if type == "string" then (split("\\") | join("\\\\")) | (split("\t") | join("\\t"))
      | (split("\n") | join("\\n")) | (split("\r") | join("\\r"))
    elif . == null then "" else tojson end
  ) | join("\t");
def @sh: [if type == "array" then .[] else . end
  | if type == "string" then "'" + (split("'") | join("'\\''")) + "'"
    elif type == "array" or type == "object" then error("\(tojson) cannot be escaped for shell") else tojson end]
  | join(" ");
def @base32: tostring | _base32;
def @base32d: tostring | _base32d;
