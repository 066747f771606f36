"""Prints what oslo.messaging's NotificationFilter says: test/golden/oslo_filter.<version>.json."""

import importlib.metadata
import json
import sys
import warnings

from oslo_messaging.notify.filter import NotificationFilter

warnings.simplefilter("ignore")

PATTERNS = [
    'compute','^compute\\.','compute$','compute\\Z','\\Acompute','.*end','instance','(?i)COMPUTE','(?P<s>compute|volume)\\.(?P<w>\\w+)','[a-z]+\\.instance','[^c]','[]a]','[^]a]','\\d+','\\D','\\w+$','[\\w.]+$','\\s','\\S+$','.','(?s).','(?m)^b','(?s).*\\n^b','(?sm).*\\n^b','a$','(?m)a$','a{2}','a{,2}$','a{2,}','a{}','a{x}','{','a{,}b','\\bcompute\\b','comp\\Bute','(?x) comp ute # comment\n \\. ','(?#note)compute','(?:a|b)+$','(?=com)compute','(?!vol)c','c(?<=c)o','c(?<!x)o','\\x63','\\u0063','\\143','\\0','\\t','[\\d\\s]','[^\\W\\d]+$','[a\\-z]$','[a-]','[\\]]','\\.','\\/','a|b','','|','()','[[]','\\-','a-z','[&&a]','~','a/b','(?i)É','é','[à-ü]+$','\\w','\\d$','\U0001f40e','.$','^.$','^\\w$','a??b','a*?b','a+?b',
    # Not valid, or special.
 '(','[a','*','a**','\\','(?P<n>a)(?P<n>b)','(?P<1>a)','(?z)','a(?i)','\\1','(a)\\1','(?P<n>a)(?P=n)','(?(1)a|b)','(?>a)','a++','(?i:a)','(?-i:a)','\\N{DIGIT ONE}','\\q','[z-a]','a{3,2}','[\\w-z]','(?L)a','(?au)a','\\400','(?<=a|bc)d','(?=a)*','\\b*','^*','\\Q','a)','(?a)\\w+$','(?u)\\w+$','\\U0001f40e','\\xzz','(?i)straße$','[^a]$','\\8','\\08','[\\b]','[^\\n]$','x*','(a*)*$','(?ai)a',
]
TEXTS = [
    'compute.instance.create.end','volume.x','','a','b','aa','aab','a\nb','a\n','a\r','\n','COMPUTE','Compute','1','12','٣','é','É','ü','\U0001f40e',' ','\u00a0','\ufeff','a{}','{','a{x}',']','[','-','a-z','a/b','/','.','~','&','_','ab','\x00','\t','\x1c','z','straße','STRASSE','STRAßE','compute','xinstance','\u2028','²','\x08','e\u0301',
]
NOTIFICATION = dict(context={'roles':'private','tenant_id':'5f64','auth_token':None,'n':5},publisher_id='compute.host1',event_type='compute.instance.create.end',metadata={'message_id':'1-2','timestamp':'2026-11-22 00:33:42.1'},payload={'state':'active','count':3,'none':None,'list':['active'],'obj':{'state':'active'},'':'empty'})
RULES = [
    {}, {'publisher_id':'^compute.*'},{'publisher_id':'host1'},{'context':{'tenant_id':'^5f'}},{'context':{'tenant_id':'^5f','roles':'private'}},{'context':{'tenant_id':'^5f','roles':'public'}},{'context':{'missing':'.*'}},{'context':{'auth_token':'.*'}},{'context':{'n':'5'}},{'metadata':{'timestamp':'2026'}},{'metadata':{'timestamp':'11'}},{'metadata':{'message_id':'1'}},{'metadata':{'priority':'.*'}},{'payload':{'state':'^active$'}},{'payload':{'state':'act'}},{'payload':{'count':'3'}},{'payload':{'none':''}},{'payload':{'list':'active'}},{'payload':{'obj':'.*'}},{'payload':{'':'empty'}},{'payload':{}},{'payload':{'state':'^active$'},'event_type':'^compute\\.','publisher_id':'c','context':{'roles':'p'},'metadata':{'timestamp':'2'}},{'event_type':'^$'},{'payload':None,'context':None},{'payload':{'toString':'.*'}},{'context':{'constructor':'.*'}},
]
CHANGES = [
    {},{'payload':None},{'payload':'the state is active'},{'payload':'text'},{'payload':['state']},{'payload':7},{'payload':True},{'payload':{}},{'context':{}},{'publisher_id':None},{'event_type':None},{'event_type':''},{'payload':{'state':None}},{'payload':{'state':'inactive'}},{'payload':{'state':'active\n'}},
]


def pattern_row(pattern):
    try:
        rule = NotificationFilter(event_type=pattern)
    except Exception as error:
        return {"pattern": pattern, "invalid": type(error).__name__}
    return {"pattern": pattern, "matches": [text for text in TEXTS if rule.match({}, "p", text, {}, {})]}


def outcome(rule, changes):
    try:
        return rule.match(**dict(NOTIFICATION, **changes))
    except Exception as error:
        return type(error).__name__


def main():
    table = {
        "_comment": "What NotificationFilter of oslo.messaging says: event_type patterns against texts (re.match), and rules against a notification with changes. An exception is what its listener answers with a requeue.",
        "oslo_messaging_version": importlib.metadata.version("oslo.messaging"),
        "texts": TEXTS,
        "patterns": [pattern_row(pattern) for pattern in PATTERNS],
        "notification": NOTIFICATION,
        "cases": [
            {"rules": rules, "changes": changes, "outcome": outcome(NotificationFilter(**rules), changes)}
            for rules in RULES
            for changes in CHANGES
        ],
    }
    json.dump(table, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
