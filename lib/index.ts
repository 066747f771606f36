export { connectBroker, createBroker } from './broker/connect-broker.js';
export { ConfigurationError, InvalidTarget, InvalidTransportUrl } from './errors/configuration.errors.js';
export {
  ClosedError,
  MessageDeliveryFailure,
  MessageUndeliverable,
  PreconditionFailed,
} from './errors/delivery.errors.js';
export { OsloMessagingError } from './errors/oslo-messaging.error.js';
export {
  MessagingTimeout,
  NoSuchMethod,
  RemoteError,
  RpcVersionCapError,
  UnsupportedVersion,
} from './errors/rpc.errors.js';
export { MalformedMessage, UnsupportedEnvelope } from './errors/wire.errors.js';
export { EventChannel } from './events/event-channel.js';
export { ClientOsloRpc } from './nest/client-oslo-rpc.js';
export { ExpectedExceptions } from './nest/expected-exceptions.decorator.js';
export { HTTP_NOTIFICATION_OPTIONS, HttpNotificationInterceptor } from './nest/http-notification.interceptor.js';
export { getNotifierToken, InjectNotifier } from './nest/inject-notifier.decorator.js';
export { getOsloClientToken, InjectOsloClient } from './nest/inject-oslo-client.decorator.js';
export { ANY_METHOD, OSLO_RPC } from './nest/nest.constants.js';
export { NotificationListeners } from './nest/notification-listeners.js';
export { OsloNotificationContext } from './nest/notification.context.js';
export { NotificationModule } from './nest/notification.module.js';
export { Notifier } from './nest/notifier.js';
export { OnNotification } from './nest/on-notification.decorator.js';
export { OsloCallContext } from './nest/oslo-call-context.js';
export { OsloClient } from './nest/oslo-client.js';
export { OsloEndpoint } from './nest/oslo-endpoint.decorator.js';
export { OsloLogger } from './nest/oslo-logger.js';
export { OsloMethod } from './nest/oslo-method.decorator.js';
export { OsloRpcContext } from './nest/oslo-rpc.context.js';
export { OsloRpcModule } from './nest/oslo-rpc.module.js';
export { OsloRpcRecord, OsloRpcRecordBuilder } from './nest/oslo-rpc.record.js';
export { OsloHealthIndicator } from './nest/oslo.health-indicator.js';
export { currentRequestContext, runWithRequestContext } from './nest/request-context.store.js';
export { ServerOsloRpc } from './nest/server-oslo-rpc.js';
export { IncomingNotification, NotificationResult } from './notify/incoming-notification.js';
export { MemoryNotificationLog } from './notify/memory-notification-log.js';
export { NotificationFilter } from './notify/notification-filter.js';
export { NotificationListener } from './notify/notification-listener.js';
export { NotifierCore } from './notify/notifier-core.js';
export { NOTIFICATION_DRIVERS } from './notify/notifier-options.js';
export { PreparedNotifier } from './notify/prepared-notifier.js';
export { defaultAccessPolicy, explicitAccessPolicy, expose, legacyAccessPolicy } from './rpc/access-policy.js';
export { expectedExceptions } from './rpc/expected-exceptions.js';
export { IncomingRequest } from './rpc/incoming-request.js';
export { remoteFailureOf } from './rpc/remote-exceptions.js';
export { RpcCallContext } from './rpc/rpc-call-context.js';
export { RpcClient } from './rpc/rpc-client.js';
export { RpcServer } from './rpc/rpc-server.js';
export { NOTIFICATION_PRIORITIES } from './wire/notification.js';
export { plainVersioned, unwrapVersioned, VersionedObject } from './wire/versioned-object.js';

export type {
  Broker,
  BrokerState,
  ConsumeRequest,
  Delivery,
  DeliveryProperties,
  MessagePurpose,
  OutgoingMessage,
  QueueInspection,
  Subscription,
} from './broker/broker.js';
export type { ConnectBrokerOptions } from './broker/connect-broker.js';
export type { RabbitOptions, ResolvedRabbitOptions } from './config/rabbit-options.js';
export type { TransportHost, TransportUrl } from './config/transport-url.js';
export type { DeliveryFacts as DeliveryFailureFacts } from './errors/delivery.errors.js';
export type { ErrorClass } from './errors/error-class.js';
export type { ErrorFacts, ErrorFault } from './errors/oslo-messaging.error.js';
export type { RemoteFailureFacts, TimeoutFacts } from './errors/rpc.errors.js';
export type { LineOutage, TimeoutDiagnosis, TimeoutReason } from './errors/timeout-diagnosis.js';
export type { WireFacts } from './errors/wire.errors.js';
export type { AroundHook, HookedMessage } from './events/around-hook.js';
export type { MessagingEventListener } from './events/event-channel.js';
export type { HealthSnapshot } from './events/health-snapshot.js';
export type {
  AckLost,
  ConnectionChanged,
  ConnectionPhase,
  ConsumersChanged,
  DurabilityMismatch,
  ErrorClassLost,
  EventLevel,
  EventLoopBlocked,
  HandlerFailed,
  LifecycleChanged,
  ListenersBehind,
  MessageRejected,
  MessageRepublished,
  MessageUnrouted,
  MessagingEvent,
  NotificationDeadLettered,
  NotificationDropped,
  NotificationRequeued,
  ReplyDropped,
  ReplyQueueReplaced,
  ReplyUnmatched,
  RequestDropped,
  SendFailed,
  ServerSaturated,
  StartFailed,
} from './events/messaging-event.js';
export type { ClientOsloRpcOptions } from './nest/client-oslo-rpc-options.js';
export type { OsloHealthSource } from './nest/health-sources.js';
export type { HttpNotificationOptions } from './nest/http-notification.interceptor.js';
export type {
  NotificationFeature,
  NotificationFeatureScope,
  NotificationModuleAsyncOptions,
  NotificationModuleOptions,
  NotificationModuleScope,
  NotificationOptionsFactory,
} from './nest/notification-module-options.js';
export type { OsloNotification } from './nest/notification.context.js';
export type { OnNotificationOptions } from './nest/on-notification.decorator.js';
export type { AnyOsloApi, OsloMethodName, OsloParameters, OsloResult } from './nest/oslo-api.js';
export type { OsloEndpointOptions } from './nest/oslo-endpoint.decorator.js';
export type { OsloEvents, OsloStatus } from './nest/oslo-events.js';
export type { OsloLoggerOptions } from './nest/oslo-logger.js';
export type { OsloMethodOptions } from './nest/oslo-method.decorator.js';
export type { OsloProxy } from './nest/oslo-proxy.js';
export type {
  OsloRpcFeature,
  OsloRpcFeatureScope,
  OsloRpcModuleAsyncOptions,
  OsloRpcModuleOptions,
  OsloRpcModuleScope,
  OsloRpcOptionsFactory,
} from './nest/oslo-rpc-module-options.js';
export type { OsloRpcPattern } from './nest/oslo-rpc.pattern.js';
export type { OsloRpcRecordOptions } from './nest/oslo-rpc.record.js';
export type { OsloHealthPart, OsloHealthResult } from './nest/oslo.health-indicator.js';
export type { ForwardContext } from './nest/request-context.store.js';
export type { ServerOsloRpcOptions } from './nest/server-oslo-rpc-options.js';
export type { StartupOptions, StartupPolicy } from './nest/startup-policy.js';
export type { NotificationLogger } from './notify/drivers/log.driver.js';
export type { NotificationDriver, NotifyLimits } from './notify/drivers/notification-driver.js';
export type { NotificationCounters } from './notify/listener-counters.js';
export type { NotificationOrigin } from './notify/incoming-notification.js';
export type {
  FilteredNotification,
  FilterRule,
  NotificationFilterOptions,
  OsloFilterRules,
  TextPattern,
} from './notify/notification-filter.js';
export type {
  DeadLetter,
  NotificationDeserializer,
  NotificationListenerOptions,
} from './notify/notification-listener-options.js';
export type {
  BatchOptions,
  BatchRegistration,
  NotificationRegistration,
  SingleRegistration,
} from './notify/notification-registration.js';
export type { NotificationDriverName, NotificationSerializer, NotifierOptions } from './notify/notifier-options.js';
export type { NotifyOptions, PrepareNotifierOptions } from './notify/prepared-notifier.js';
export type { RoutingConfig, RoutingRule } from './notify/routing-rules.js';
export type { RpcAccessPolicy } from './rpc/access-policy.js';
export type { PrepareOptions } from './rpc/call-settings.js';
export type { PythonExceptions } from './rpc/exception-map.js';
export type { DeliveryFacts } from './rpc/incoming-request.js';
export type { RemoteExceptionClass } from './rpc/remote-exceptions.js';
export type { ReplyCounters } from './rpc/reply-counters.js';
export type { CallOptions, RpcArguments, SendOptions } from './rpc/rpc-call-context.js';
export type { RpcClientOptions, TransportOptions } from './rpc/rpc-client-options.js';
export type { RpcEndpoint, RpcHandler } from './rpc/rpc-endpoint.js';
export type { RpcServerOptions } from './rpc/rpc-server-options.js';
export type { RpcServerCounters } from './rpc/rpc-server.js';
export type { Serializer } from './rpc/serializer.js';
export type { IntegerReading } from './wire/json.js';
export type { Notification, NotificationPriority } from './wire/notification.js';
export type { RemoteFailure } from './wire/remote-failure.js';
export type { RequestContext } from './wire/request-context.js';
export type { Target } from './wire/target.js';
export type {
  BindingDeclaration,
  Declaration,
  ExchangeDeclaration,
  QueueDeclaration,
  Topology,
} from './wire/topology.js';
export type { VersionedObjectHead } from './wire/versioned-object.js';
