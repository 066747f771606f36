"""A plain oslo.messaging program: a server that Nest calls, and a client that calls Nest."""
import sys

from oslo_config import cfg
import oslo_messaging

new_client = getattr(oslo_messaging, 'get_rpc_client', None) or oslo_messaging.RPCClient  # before 14.1
cfg.CONF([], project='inventory')
transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=sys.argv[1])


class Inventory:
    target = oslo_messaging.Target(version='1.0')

    def count(self, ctxt, item):
        if item == 'unicorns':
            raise LookupError('no such item', item)
        return {'item': item, 'count': 42}

    def order(self, ctxt, item):
        """Called by Nest, and calls Nest in turn, as a client."""
        shop = new_client(transport, oslo_messaging.Target(topic='shop'))
        price = shop.call(ctxt, 'price', item=item)
        return f'{item} for {price["amount"]} {price["currency"]}'


server = oslo_messaging.get_rpc_server(
    transport, oslo_messaging.Target(topic='inventory', server='python1'), [Inventory()], executor='threading')
server.start()
print('ready', flush=True)
sys.stdin.read()
server.stop()
server.wait()
transport.cleanup()
