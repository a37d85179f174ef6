// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target of ours is built with.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// The packages that our targets may import, by product name.
func external(_ product: String) -> Target.Dependency {
    let package =
        switch product {
        case "ArgumentParser": "swift-argument-parser"
        case "Crypto", "CryptoExtras": "swift-crypto"
        case "GRDB": "GRDB.swift"
        case "HTTPTypes": "swift-http-types"
        case "HummingbirdCore", "HummingbirdTLS": "hummingbird"
        case "Logging": "swift-log"
        case "NIOCore", "NIOPosix": "swift-nio"
        case "NIOSSL": "swift-nio-ssl"
        case "ServiceLifecycle": "swift-service-lifecycle"
        default: product
        }
    return .product(name: product, package: package)
}

/// A room of the house: sources in Sources/NAME, its own rooms below it, outside packages.
func room(_ name: String, on rooms: [String] = [], uses products: [String] = []) -> Target {
    .target(
        name: name,
        dependencies: rooms.map { .byName(name: $0) } + products.map(external),
        swiftSettings: settings)
}

/// The tests of a room, in Tests/NAMETests.
func tests(of name: String, on rooms: [String] = [], uses products: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: ([name] + rooms).map { .byName(name: $0) } + products.map(external),
        swiftSettings: settings)
}

let package = Package(
    name: "dubmill",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftcsv/SwiftCSV", from: "0.10.0"),
    ],
    targets: [
        .target(name: "CFFmpeg"),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl"),
        .systemLibrary(name: "CSpawn"),
        room("DubCore", uses: ["Crypto"]),
        room("DubGraph", on: ["DubCore"], uses: ["Yams"]),
        room("DubRunner", on: ["DubCore", "DubGraph"]),
        room("DubLedger", on: ["DubCore", "DubGraph", "DubRunner"], uses: ["GRDB"]),
        room("DubReport", on: ["DubCore", "DubRunner"]),
        room("DubStorage", on: ["DubCore", "DubGraph", "DubRunner"]),
        room("DubMedia", on: ["DubCore", "CFFmpeg"], uses: ["Crypto"]),
        room("DubTiming", on: ["DubCore"]),
        room("DubSchedule", on: ["DubCore"]),
        room("DubWatch", on: ["DubCore", "DubGraph", "DubSchedule"], uses: ["SwiftCSV", "Yams"]),
        room("DubNotify", on: ["DubCore", "DubHTTP", "DubWatch"], uses: ["Crypto"]),
        room(
            "DubService", on: ["DubCore", "DubWatch"],
            uses: [
                "Crypto", "HTTPTypes", "HummingbirdCore", "HummingbirdTLS", "Logging", "NIOCore", "NIOPosix", "NIOSSL",
                "ServiceLifecycle",
            ]),
        room("DubSpeakers", on: ["DubCore", "DubTiming"]),
        room("DubHTTP", on: ["DubCore", "CCurl"]),
        room("DubObjects", on: ["DubCore", "DubHTTP"], uses: ["Crypto", "CryptoExtras"]),
        room("DubPublish", on: ["DubCore", "DubRunner", "DubObjects"]),
        room("DubWorkers", on: ["DubCore", "DubHTTP", "CSpawn"]),
        room(
            "DubStages",
            on: ["DubCore", "DubGraph", "DubRunner", "DubMedia", "DubSpeakers", "DubTiming", "DubWorkers"],
            uses: ["SwiftCSV", "Yams"]),
        room(
            "DubCommands",
            on: [
                "DubCore", "DubGraph", "DubRunner", "DubHTTP", "DubMedia", "DubNotify", "DubObjects", "DubPublish",
                "DubWorkers", "DubLedger", "DubStorage", "DubSpeakers", "DubStages", "DubReport", "DubSchedule",
                "DubService", "DubWatch",
            ],
            uses: ["ArgumentParser", "Yams"]),
        .executableTarget(name: "dubmill", dependencies: ["DubCommands"], swiftSettings: settings),
        room("DubTestKit", on: ["DubCore", "DubHTTP", "DubWorkers"]),
        tests(of: "DubCore"),
        tests(of: "DubGraph", on: ["DubCore", "DubTestKit"]),
        tests(of: "DubRunner", on: ["DubCore", "DubGraph", "DubLedger", "DubStorage", "DubTestKit"]),
        tests(of: "DubLedger", on: ["DubCore", "DubGraph", "DubRunner", "DubTestKit"], uses: ["GRDB"]),
        tests(of: "DubReport", on: ["DubCore", "DubRunner", "DubTestKit"]),
        tests(of: "DubStorage", on: ["DubCore", "DubGraph", "DubRunner", "DubTestKit"]),
        tests(
            of: "DubStages",
            on: [
                "DubCore", "DubGraph", "DubRunner", "DubMedia", "DubSpeakers", "DubTiming", "DubWorkers", "DubStorage",
                "DubTestKit",
            ]),
        tests(
            of: "DubCommands",
            on: ["DubCore", "DubGraph", "DubRunner", "DubService", "DubStages", "DubTestKit", "DubWatch"],
            uses: ["ArgumentParser"]),
        tests(of: "DubMedia", on: ["DubCore"]),
        tests(of: "DubTiming", on: ["DubCore"]),
        .testTarget(
            name: "DubScheduleTests", dependencies: ["DubSchedule", "DubCore"].map { .byName(name: $0) },
            exclude: ["Golden"], swiftSettings: settings),
        tests(of: "DubWatch", on: ["DubCore", "DubGraph", "DubSchedule", "DubTestKit"]),
        tests(of: "DubNotify", on: ["DubCore", "DubHTTP", "DubTestKit", "DubWatch"]),
        tests(of: "DubService", on: ["DubCore", "DubWatch", "DubTestKit"]),
        tests(of: "DubSpeakers", on: ["DubCore", "DubTiming", "DubTestKit"]),
        tests(of: "DubHTTP", on: ["DubCore", "DubTestKit"]),
        tests(of: "DubObjects", on: ["DubCore", "DubHTTP", "DubTestKit"]),
        tests(
            of: "DubPublish",
            on: ["DubCore", "DubGraph", "DubHTTP", "DubLedger", "DubObjects", "DubRunner", "DubTestKit"]),
        tests(of: "DubWorkers", on: ["DubCore", "DubTestKit"]),
        // Depends on the program so that it is built; the tests start it as a user would.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "dubmill", "DubCore", "DubHTTP", "DubMedia", "DubObjects", "DubTestKit", "DubWorkers",
            ].map {
                .byName(name: $0)
            },
            exclude: ["Snapshots"], swiftSettings: settings),
    ]
)
