# What gojq has and the engine lacks, or has with another meaning. Definitions follow gojq's own.

def _arguments($re): if $re | type == "array" then [$re[0], $re[1]] else [$re, null] end;

def isempty(g): label $out | (g | false, break $out), true;
def transpose: if . == [] then [] else [range([.[] | length] | max) as $i | [.[][$i]]] end;
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def index($i): indices($i) | if . == null then null else .[0] end;
def rindex($i): indices($i) | if . == null then null else .[-1:][0] end;
def keys_unsorted: keys;
def to_entries: [keys[] as $k | {key: $k, value: .[$k]}];
def from_entries:
  map({(.key // .Key // .name // .Name): (if has("value") then .value else .Value end)}) | add // {};
def with_entries(f): to_entries | map(f) | from_entries;
def tostring: if type == "string" then . else tojson end;
def toboolean:
  if type == "boolean" then . elif . == "true" then true elif . == "false" then false
  else error("toboolean cannot be applied to: \(tojson)") end;
def @json: tojson;
def @text: tostring;
def add(f): reduce f as $x (null; . + $x);
def add: add(.[]);
def values: select(. != null);
def toarray: if type == "array" then . else [.] end;
def leaf_paths: paths(scalars);
def abs: if type == "number" then (if . < 0 then -. else . end) else error("abs cannot be applied to: \(tojson)") end;
def walk(f): def _walk: if type == "array" then map(_walk) elif type == "object" then map_values(_walk) end | f; _walk;
def getpath($path): reduce $path[] as $p (.; .[$p]);
def setpath($path; $x): getpath($path) = $x;
def del(f): delpaths([path(f)]);
def pick(f): . as $v | reduce path(f) as $p (null; setpath($p; $v | getpath($p)));
def flatten($d):
  if $d < 0 then error("flatten depth must not be negative") else
    def _flatten($d): [.[] | if type == "array" and $d != 0 then _flatten($d - 1)[] else . end];
    [.[]] | _flatten($d)
  end;
def flatten: flatten(infinite);
def trimstr($s): ltrimstr($s) | rtrimstr($s);
def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def todate: todateiso8601;
def combinations: if length == 0 then [] else .[0][] as $x | [$x] + (.[1:] | combinations) end;
def combinations(n): [limit(n; repeat(.))] | combinations;

def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] = $row);
def INDEX(f): INDEX(.[]; f);
def JOIN($idx; f): [.[] | [., $idx[f]]];
def JOIN($idx; stream; f): stream | [., $idx[f]];
def JOIN($idx; stream; f; join): stream | [., $idx[f]] | join;

def tostream:
  path(def r: (.[]? | r), .; r) as $p
  | getpath($p)
  | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f):
  foreach f as $i (
    null;
    if .e then null else . end
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

def _named: [.[] | select(.name != null) | {(.name): .string}] | add // {};
def match($re; $flags): _match($re; $flags)[];
def match($re): _arguments($re) as [$re, $flags] | match($re; $flags);
def test($re; $flags): _match($re; $flags) != [];
def test($re): _arguments($re) as [$re, $flags] | test($re; $flags);
def capture($re; $flags): match($re; $flags) | .captures | _named;
def capture($re): _arguments($re) as [$re, $flags] | capture($re; $flags);
def scan($re; $flags): match($re; $flags + "g") | if .captures == [] then .string else [.captures[].string] end;
def scan($re): scan($re; null);
def splits($re; $flags):
  . as $in
  | foreach (_match($re; $flags + "g")[], null) as $m
      ({next: 0}; if $m == null then .part = $in[.next:] else .part = $in[.next:$m.offset] | .next = $m.offset + $m.length end;
       .part);
def splits($re): splits($re; null);
def split($re; $flags): [splits($re; $flags)];
def sub($re; f; $flags):
  . as $in
  | reduce _match($re; $flags)[] as $m ([["", 0]];
      [.[] as [$text, $next] | ($m.captures | _named | f) as $new
       | [$text + $in[$next:$m.offset] + $new, $m.offset + $m.length]])
  | .[] | .[0] + $in[.[1]:];
def sub($re; f): sub($re; f; null);
def gsub($re; f; $flags): sub($re; f; $flags + "g");
def gsub($re; f): sub($re; f; "g");

def _row(f): if type == "array" then . else error("\(tojson) cannot be formatted as a row") end
  | map(if type == "array" or type == "object" then error("\(tojson) cannot be formatted in a row") else f end);
def _replace($old; $new): split($old) | join($new);
def @csv: _row(if type == "string" then "\"" + _replace("\""; "\"\"") + "\"" elif . == null then "" else tojson end) | join(",");
def @tsv: _row(
    if type == "string" then
      _replace("\\"; "\\\\") | _replace("\t"; "\\t") | _replace("\n"; "\\n") | _replace("\r"; "\\r")
    elif . == null then "" else tojson end
  ) | join("\t");
def @sh: [if type == "array" then .[] else . end
  | if type == "string" then "'" + _replace("'"; "'\\''") + "'"
    elif type == "array" or type == "object" then error("\(tojson) cannot be escaped for shell") else tojson end]
  | join(" ");
def @base64d: tostring | _base64d;
def @base32: tostring | _base32;
def @base32d: tostring | _base32d;
