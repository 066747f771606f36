/**
 * Everything that an application needs.
 *
 * @module nestjs-oslo-messaging
 */
export { connectBroker, createBroker } from './broker/connect-broker.js';
export { loadOsloConfig } from './config/oslo-config/oslo-config.js';
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
export { ClientOsloRpc } from './nest/client/client-oslo-rpc.js';
export { getOsloClientToken, InjectOsloClient } from './nest/client/inject-oslo-client.decorator.js';
export { OsloClient } from './nest/client/oslo-client.js';
export { OsloRpcRecord, OsloRpcRecordBuilder } from './nest/client/oslo-rpc.record.js';
export { OsloHealthIndicator } from './nest/health/oslo.health-indicator.js';
export { NotificationListeners } from './nest/listeners/notification-listeners.js';
export { OsloNotificationContext } from './nest/listeners/notification.context.js';
export { OnNotification } from './nest/listeners/on-notification.decorator.js';
export { NotificationModule } from './nest/module/notification.module.js';
export { OsloRpcModule } from './nest/module/oslo-rpc.module.js';
export { getOsloServerToken } from './nest/module/oslo-rpc-tokens.js';
export {
  HTTP_NOTIFICATION_OPTIONS,
  HttpNotificationInterceptor,
} from './nest/notifications/http-notification.interceptor.js';
export { getNotifierToken, InjectNotifier } from './nest/notifications/inject-notifier.decorator.js';
export { Notifier } from './nest/notifications/notifier.js';
export { OsloLogger } from './nest/notifications/oslo-logger.js';
export { ExpectedExceptions } from './nest/server/expected-exceptions.decorator.js';
export { OsloEndpoint } from './nest/server/oslo-endpoint.decorator.js';
export { OsloMethod } from './nest/server/oslo-method.decorator.js';
export { OsloRpcContext } from './nest/server/oslo-rpc.context.js';
export { OsloRpcStrategy } from './nest/server/oslo-rpc-strategy.js';
export { ServerOsloRpc } from './nest/server/server-oslo-rpc.js';
export { ANY_METHOD, OSLO_RPC } from './nest/shared/nest.constants.js';
export { currentRequestContext, runWithRequestContext } from './nest/shared/request-context.store.js';
export { NotificationFilter } from './notify/filter/notification-filter.js';
export { NotificationResult } from './notify/listener/incoming-notification.js';
export { NotificationListener } from './notify/listener/notification-listener.js';
export { MemoryNotificationLog } from './notify/notifier/memory-notification-log.js';
export { NotifierCore } from './notify/notifier/notifier-core.js';
export { NOTIFICATION_DRIVERS } from './notify/notifier/notifier-options.js';
export { RpcClient } from './rpc/client/rpc-client.js';
export { remoteFailureOf } from './rpc/exceptions/remote-exceptions.js';
export { defaultAccessPolicy, explicitAccessPolicy, expose, legacyAccessPolicy } from './rpc/server/access-policy.js';
export { expectedExceptions } from './rpc/server/expected-exceptions.js';
export { multicall } from './rpc/server/multicall.js';
export { RpcServer } from './rpc/server/rpc-server.js';
export { NOTIFICATION_PRIORITIES } from './wire/notification.js';
export { plainVersioned, unwrapVersioned, VersionedObject } from './wire/versioned-object.js';

export type { Broker, BrokerState } from './broker/broker.js';
export type { ConnectBrokerOptions } from './broker/connect-broker.js';
export type { OsloConfig, OsloNotificationConfig } from './config/oslo-config/oslo-config.js';
export type { OsloConfigFile } from './nest/shared/config-file.js';
export type { KafkaOptions } from './config/kafka-options.js';
export type { RabbitOptions } from './config/rabbit-options.js';
export type { DeliveryFacts as DeliveryFailureFacts } from './errors/delivery.errors.js';
export type { ErrorClass } from './errors/error-class.js';
export type { ErrorFacts, ErrorFault } from './errors/oslo-messaging.error.js';
export type { RemoteFailureFacts, TimeoutFacts } from './errors/rpc.errors.js';
export type { ConnectionOutage, TimeoutDiagnosis, TimeoutReason } from './errors/timeout-diagnosis.js';
export type { WireFacts } from './errors/wire.errors.js';
export type { AroundHook, HookedMessage } from './events/around-hook.js';
export type { MessagingEventListener } from './events/event-channel.js';
export type { EventChannel } from './events/event-channel.js';
export type { HealthSnapshot } from './events/health-snapshot.js';
export type {
  HookedBus,
  HookedClient,
  HookedListener,
  HookedNotifier,
  HookedPart,
  HookedServer,
} from './events/hooked-part.js';
export type {
  AckLost,
  ConnectionChanged,
  ConnectionPhase,
  ConsumersChanged,
  CredentialsMissing,
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
export type { ClientOsloRpcOptions } from './nest/client/client-oslo-rpc-options.js';
export type { AnyOsloApi, OsloMethodName, OsloParameters, OsloResult } from './nest/client/oslo-api.js';
export type { OsloCallContext } from './nest/client/oslo-call-context.js';
export type { OsloProxy } from './nest/client/oslo-proxy.js';
export type { OsloRpcRecordOptions } from './nest/client/oslo-rpc.record.js';
export type { OsloHealthSource } from './nest/health/health-sources.js';
export type { OsloHealthPart, OsloHealthResult } from './nest/health/oslo.health-indicator.js';
export type { OsloNotification } from './nest/listeners/notification.context.js';
export type { OnNotificationOptions } from './nest/listeners/on-notification.decorator.js';
export type {
  OsloRpcFeature,
  OsloRpcFeatureScope,
  OsloRpcModuleAsyncOptions,
  OsloRpcModuleOptions,
  OsloRpcModuleScope,
  OsloRpcOptionsFactory,
} from './nest/module/oslo-rpc-module-options.js';
export type { HttpNotificationOptions } from './nest/notifications/http-notification.interceptor.js';
export type {
  NotificationFeature,
  NotificationFeatureScope,
  NotificationModuleAsyncOptions,
  NotificationModuleOptions,
  NotificationModuleScope,
  NotificationOptionsFactory,
} from './nest/notifications/notification-module-options.js';
export type { OsloLoggerOptions } from './nest/notifications/oslo-logger.js';
export type { OsloEndpointOptions } from './nest/server/oslo-endpoint.decorator.js';
export type { OsloMethodOptions } from './nest/server/oslo-method.decorator.js';
export type { ServerOsloRpcOptions } from './nest/server/server-oslo-rpc-options.js';
export type { OsloEvents, OsloStatus } from './nest/shared/oslo-events.js';
export type { OsloRpcPattern } from './nest/shared/oslo-rpc.pattern.js';
export type { ForwardContext } from './nest/shared/request-context.store.js';
export type { StartupOptions, StartupPolicy } from './nest/shared/startup-policy.js';
export type { NotificationLogger } from './notify/drivers/log.driver.js';
export type { NotificationDriver, NotifyLimits } from './notify/drivers/notification-driver.js';
export type {
  FilteredNotification,
  FilterRule,
  NotificationFilterOptions,
  OsloFilterRules,
  TextPattern,
} from './notify/filter/notification-filter.js';
export type { NotificationOrigin } from './notify/listener/incoming-notification.js';
export type { IncomingNotification } from './notify/listener/incoming-notification.js';
export type { NotificationCounters } from './notify/listener/listener-counters.js';
export type {
  DeadLetter,
  NotificationDeserializer,
  NotificationListenerOptions,
} from './notify/listener/notification-listener-options.js';
export type {
  BatchOptions,
  BatchRegistration,
  NotificationRegistration,
  SingleRegistration,
} from './notify/listener/notification-registration.js';
export type {
  NotificationDriverName,
  NotificationSerializer,
  NotifierOptions,
} from './notify/notifier/notifier-options.js';
export type { NotifyOptions, PrepareNotifierOptions } from './notify/notifier/prepared-notifier.js';
export type { PreparedNotifier } from './notify/notifier/prepared-notifier.js';
export type { RoutingConfig, RoutingRule } from './notify/notifier/routing-rules.js';
export type { PrepareOptions } from './rpc/client/call-settings.js';
export type { ReplyCounters } from './rpc/client/replies/reply-counters.js';
export type { CallOptions, RpcArguments, SendOptions } from './rpc/client/rpc-call-context.js';
export type { RpcCallContext } from './rpc/client/rpc-call-context.js';
export type { RpcClientOptions, TransportOptions } from './rpc/client/rpc-client-options.js';
export type { PythonExceptions } from './rpc/exceptions/exception-map.js';
export type { RemoteExceptionClass } from './rpc/exceptions/remote-exceptions.js';
export type { Serializer } from './rpc/serializer.js';
export type { RpcAccessPolicy } from './rpc/server/access-policy.js';
export type { DeliveryFacts } from './rpc/server/incoming-request.js';
export type { IncomingRequest } from './rpc/server/incoming-request.js';
export type { RpcEndpoint, RpcHandler } from './rpc/server/rpc-endpoint.js';
export type { RpcServerOptions } from './rpc/server/rpc-server-options.js';
export type { RpcServerCounters } from './rpc/server/rpc-server.js';
export type { ServedInterface } from './rpc/server/rpc-dispatcher.js';
export type { ServedEndpoint } from './rpc/server/rpc-service.js';
export type { IntegerReading } from './wire/json/json.js';
export type { Notification, NotificationPriority } from './wire/notification.js';
export type { RemoteFailure } from './wire/rpc/remote-failure.js';
export type { RequestContext } from './wire/request-context.js';
export type { Target } from './wire/target.js';
export type { VersionedObjectHead } from './wire/versioned-object.js';
