from kafka import KafkaConsumer
consumer = KafkaConsumer('test_topic', group_id='my_favorite_group', bootstrap_servers='localhost:9092', auto_offset_reset='earliest')
for msg in consumer:
    print (msg, flush=True)
